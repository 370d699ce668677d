package web

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/session"
)

// Flows carries sign-ins in progress: where a visitor wanted to go, and in which browser. The way back is never a
// parameter that a client could write. It is sealed into the id that ?r= and the forms carry (CS-06, CS-07), so that a
// sign-in that is never finished costs the server nothing.
type Flows struct {
	Base         string
	PortalHost   string
	PortalOrigin string
	Origins      *origin.Book
	Sealer       *secret.Sealer
	Overflow     Overflow
	Now          func() time.Time
}

// LoginURL seals the way back to target on this host and returns the login page's URL. The URL is relative when this
// host is its own portal, so that no header of the client is ever part of it (CS-08).
func (f *Flows) LoginURL(w http.ResponseWriter, r *http.Request, c authn.Credential, target string) string {
	return f.loginBase(r.Host) + "?r=" + f.Begin(w, r, c, target, identity.Assurance{})
}

// Begin returns the id of a new way back to target on this host. It may set the flow cookie.
func (f *Flows) Begin(w http.ResponseWriter, r *http.Request, c authn.Credential, target string,
	ask identity.Assurance) string {
	if LocalPath(target) == "" { // "//other.example/" is a path to Go and another host to a browser (CS-06)
		target = "/"
	}
	way := Way{Host: FoldHost(r.Host), Target: target, Ask: ask, Flow: FlowHash(f.Cookie(w, c)), Begun: f.Now()}
	if named, ok := f.Origins.Named(r.Host); ok {
		way.Port = named.Port
	}
	return f.Seal(r.Context(), way)
}

// Seal returns the id of a way: the way itself, or its place in the overflow when it is long.
func (f *Flows) Seal(ctx context.Context, way Way) string {
	text := f.Sealer.Seal(way.encode())
	if len(text) > longWay {
		if id, ok := f.Overflow.put(ctx, text); ok {
			return id
		}
	}
	return text
}

// Open opens a way back. It reports false for an id that was not sealed here, was altered or is too old.
func (f *Flows) Open(ctx context.Context, id string) (Way, bool) {
	if len(id) > maxSealed {
		return Way{}, false
	}
	if strings.IndexByte(id, '.') >= 0 {
		var ok bool
		if id, ok = f.Overflow.get(ctx, id); !ok {
			return Way{}, false
		}
	}
	raw, ok := f.Sealer.Open(id)
	if !ok {
		return Way{}, false
	}
	way, ok := decodeWay(raw)
	if !ok || f.Now().Sub(way.Begun) > wayLife {
		return Way{}, false
	}
	return way, true
}

// Origin returns the origin that a way leads to on another host. Only the configuration names origins: a way that was
// begun at another host or port leads nowhere (DESIGN R13).
func (f *Flows) Origin(way Way) (origin.Origin, bool) {
	return f.Origins.Named(origin.Origin{Host: way.Host, Port: way.Port}.Authority())
}

// LoginFrame returns the login page's URL for the small page in a frame. It carries no sealed way: another site's frame
// keeps no flow cookie, so the sign-in is begun by the page that opens at the top.
func (f *Flows) LoginFrame(target string) string {
	return f.Base + "/login?return=" + url.QueryEscape(target)
}

// ConfirmURL seals the way back to target on this host and what has to be proven first, and returns the URL of the page
// that asks for it. The URL is relative when this host is its own portal (CS-08).
func (f *Flows) ConfirmURL(w http.ResponseWriter, r *http.Request, c authn.Credential, target string,
	ask identity.Assurance) string {
	return f.pageBase(r.Host) + "/confirm?r=" + f.Begin(w, r, c, target, ask)
}

// ConfirmPage is the page that asks for a factor, to be opened beside the app and on its host: it ends with "Go back".
// What has to be proven is in its query, since it only ever leads to proving more.
func (f *Flows) ConfirmPage(ask identity.Assurance) string {
	query := url.Values{"back": {"1"}, "acr_values": {ask.ACRValues()}}
	if ask.MaxAge > 0 {
		query.Set("max_age", strconv.Itoa(int(ask.MaxAge/time.Second)))
	}
	return f.Base + "/confirm?" + query.Encode()
}

// AskOf reads what ConfirmPage says has to be proven; zero for anything else.
func AskOf(query url.Values) identity.Assurance {
	var ask identity.Assurance
	switch query.Get("acr_values") {
	case identity.ACRMFA:
		ask.MFA = true
	case identity.ACRPasskey:
		ask.Passkey = true
	default:
		return ask
	}
	if age, err := strconv.Atoi(query.Get("max_age")); err == nil && age > 0 &&
		age <= int((365*24*time.Hour)/time.Second) {
		ask.MaxAge = time.Duration(age) * time.Second
	}
	return ask
}

// LoginBeside is the login page for a second tab beside a form that waits: it is asked for on the form's own host, so
// that the sign-in ends there and not at the single sign-on host.
func (f *Flows) LoginBeside() string { return f.Base + "/login?back=1" }

// LoginPage is the login page's URL without a way back.
func (f *Flows) LoginPage(host string) string { return f.loginBase(host) }

func (f *Flows) loginBase(host string) string { return f.pageBase(host) + "/login" }

// pageBase is where the pages of signing in are for a host: at the single sign-on host if there is one for it.
func (f *Flows) pageBase(host string) string {
	if f.Elsewhere(host) {
		return f.PortalOrigin + f.Base
	}
	return f.Base
}

// Elsewhere reports whether users of a host sign in at the single sign-on host. A host that the configuration does not
// name gets no ticket, so it is its own portal.
func (f *Flows) Elsewhere(host string) bool {
	if f.PortalHost == "" || f.PortalHost == FoldHost(host) {
		return false
	}
	_, named := f.Origins.Named(host)
	return named
}

// Cookie returns the value of this browser's flow cookie and sets a new one when there is none. Tabs share it. Tabs
// that are opened at once may each get one, and the browser keeps the last: see pages.Callback.
func (f *Flows) Cookie(w http.ResponseWriter, c authn.Credential) string {
	if value := sentFlow(c); value != "" {
		return value
	}
	value, _ := session.NewSecret()
	authn.AddCookie(w.Header(), authn.FlowCookie, value, 0)
	return value
}

// FlowHash returns the hash of a flow cookie, to which a sign-in is bound.
func FlowHash(value string) [32]byte { return sha256.Sum256([]byte("truxe flow:" + value)) }
