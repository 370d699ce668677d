package portal

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/secret"
)

// Flows keeps sign-ins in progress: where somebody wanted to go, bound to the browser by the flow cookie. A way back is
// never a parameter, only an opaque id of a record at the server (CS-06, CS-07).
type Flows struct {
	Base         string
	PortalHost   string
	PortalOrigin string
	Origins      *origin.Book
	Cluster      cluster.Cluster
}

// wayLife is how long a login page may stay open and still lead back.
const wayLife = 12 * time.Hour

// maxTarget bounds the stored target; a longer one leads to the app's start.
const maxTarget = 4096

// Way is the way back of one sign-in.
type Way struct {
	Host     string   `json:"host"` // folded, without port
	Origin   string   `json:"origin"`
	Target   string   `json:"target"` // path and query
	Flow     [32]byte `json:"flow"`   // hash of the flow cookie on Host
	Fragment string   `json:"fragment,omitempty"`
	// Ask is what has to be proven before going on there (step-up); zero: a sign-in will do.
	Ask identity.Assurance `json:"ask,omitzero"`
}

// LoginURL stores the way back to target on this host and gives the login page's URL; relative when this host is its
// own portal, so that no header of the client is ever part of it (CS-08).
func (f *Flows) LoginURL(w http.ResponseWriter, r *http.Request, c authn.Credential, target string) (string, error) {
	id, err := f.begin(r.Context(), w, r, c, target)
	if err != nil {
		return "", err
	}
	return f.loginBase(foldHost(r.Host)) + "?r=" + id, nil
}

func (f *Flows) begin(ctx context.Context, w http.ResponseWriter, r *http.Request, c authn.Credential, target string) (string, error) {
	return f.beginAsking(ctx, w, r, c, target, identity.Assurance{})
}

func (f *Flows) beginAsking(ctx context.Context, w http.ResponseWriter, r *http.Request, c authn.Credential, target string, ask identity.Assurance) (string, error) {
	host := foldHost(r.Host)
	if localPath(target) == "" { // "//other.example/" is a path to Go and another host to a browser (CS-06)
		target = "/"
	}
	way := Way{Host: host, Target: target, Ask: ask, Flow: flowHash(f.flow(w, c)), Origin: "https://" + r.Host}
	if r.TLS == nil && authn.Loopback(r.Host) {
		way.Origin = "http://" + r.Host
	}
	return f.put(ctx, way)
}

func (f *Flows) put(ctx context.Context, way Way) (string, error) {
	id := identity.NewID().String()
	return id, f.save(ctx, id, way)
}

func (f *Flows) save(ctx context.Context, id string, way Way) error {
	raw, err := json.Marshal(way)
	if err != nil {
		return err
	}
	if err := f.Cluster.Put(ctx, "way:"+id, raw, wayLife); err != nil {
		return &identity.Error{Code: identity.CodeStateUnavailable, RetryAfter: 2 * time.Second, Err: err}
	}
	return nil
}

// way reads a way back. Whoever holds another browser's id learns only a path; a ticket for it is worthless without that
// browser's flow cookie.
func (f *Flows) way(ctx context.Context, id string) (Way, bool) {
	if _, ok := identity.ParseID(id); !ok {
		return Way{}, false
	}
	raw, ok, err := f.Cluster.Get(ctx, "way:"+id)
	if err != nil || !ok {
		return Way{}, false
	}
	var way Way
	return way, json.Unmarshal(raw, &way) == nil
}

// of tells whether a way was begun in the browser that sent this flow cookie, on this host.
func (w Way) of(host, flow string) bool {
	hash := flowHash(flow)
	return flow != "" && w.Host == host && subtle.ConstantTimeCompare(hash[:], w.Flow[:]) == 1
}

// ConfirmURL stores the way back to target on this host and what has to be proven first, and gives the URL of the page
// that asks for it; relative when this host is its own portal (CS-08).
func (f *Flows) ConfirmURL(w http.ResponseWriter, r *http.Request, c authn.Credential, target string, ask identity.Assurance) (string, error) {
	id, err := f.beginAsking(r.Context(), w, r, c, target, ask)
	if err != nil {
		return "", err
	}
	return f.pageBase(foldHost(r.Host)) + "/confirm?r=" + id, nil
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

// askOf reads what ConfirmPage says has to be proven; zero for anything else.
func askOf(query url.Values) identity.Assurance {
	var ask identity.Assurance
	switch query.Get("acr_values") {
	case identity.ACRMFA:
		ask.MFA = true
	case identity.ACRPasskey:
		ask.Passkey = true
	default:
		return ask
	}
	if age, err := strconv.Atoi(query.Get("max_age")); err == nil && age > 0 && age <= int((365*24*time.Hour)/time.Second) {
		ask.MaxAge = time.Duration(age) * time.Second
	}
	return ask
}

// LoginBeside is the login page for a second tab beside a form that waits: it is asked for on the form's own host, so that
// the sign-in ends there and not at the single sign-on host.
func (f *Flows) LoginBeside() string { return f.Base + "/login?back=1" }

// LoginPage is the login page's URL without a way back.
func (f *Flows) LoginPage(host string) string { return f.loginBase(foldHost(host)) }

func (f *Flows) loginBase(host string) string { return f.pageBase(host) + "/login" }

// pageBase is where the pages of signing in are for a host: at the single sign-on host if there is one.
func (f *Flows) pageBase(host string) string {
	if f.PortalHost == "" || f.PortalHost == host {
		return f.Base
	}
	return f.PortalOrigin + f.Base
}

// flow gives the value of this browser's flow cookie and sets a new one when there is none. Tabs share it, so that
// parallel sign-ins do not break each other.
func (f *Flows) flow(w http.ResponseWriter, c authn.Credential) string {
	if value, n := c.CookieNamed(authn.FlowCookie); n == 1 {
		if _, ok := secret.ParseSessionSecret(value); ok {
			return value
		}
	}
	value, _ := secret.NewSessionSecret()
	w.Header().Add("Set-Cookie", cookieText(authn.FlowCookie, value, 0))
	return value
}

// sent gives the flow cookie that came with the request, "" without a valid one.
func sentFlow(c authn.Credential) string {
	value, n := c.CookieNamed(authn.FlowCookie)
	if _, ok := secret.ParseSessionSecret(value); n != 1 || !ok {
		return ""
	}
	return value
}

func flowHash(value string) [32]byte { return sha256.Sum256([]byte("truxe flow:" + value)) }

// cookieText is one of our cookies (CONTRACT section 5): Secure on loopback too, never a Domain (SE-04, SE-05).
func cookieText(name, value string, life time.Duration) string {
	c := http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if life > 0 {
		c.MaxAge = int((life + time.Second - 1) / time.Second)
	}
	return c.String()
}

// localPath takes a path on this host from ?return=; anything that a browser could read as another host is refused.
func localPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxTarget || len(s) == 0 || s[0] != '/' || len(s) > 1 && (s[1] == '/' || s[1] == '\\') || u.Host != "" || u.Scheme != "" {
		return ""
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c == '\\' || c >= 0x7f {
			return ""
		}
	}
	return s
}
