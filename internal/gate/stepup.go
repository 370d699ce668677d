package gate

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// canStepUp tells whether somebody can prove more: who has a session of this gateway. The token of a trusted issuer has
// none, so a rule that it does not meet is a plain refusal.
func canStepUp(p *identity.Principal) bool {
	if p == nil || strings.IndexByte(p.UserID, '|') >= 0 {
		return false
	}
	_, ok := identity.ParseID(p.SessionID)
	return ok
}

// askToStepUp answers a request of somebody who has to prove a factor first, by its kind (CONTRACT section 3). As with a
// sign-in, a form is answered in place and never redirected (CS-12).
func (g *Gate) askToStepUp(w http.ResponseWriter, r *http.Request, v *verdict, reference string) {
	ask, kind := v.decision.Ask, KindOf(r, g.Origins)
	switch kind {
	case KindNavigate, KindFrame:
		url := g.WayBack.ConfirmURL(w, r, v.credential, r.URL.RequestURI(), ask)
		if kind == KindFrame {
			g.Pages.FrameSignIn(w, r, url, reference)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", url)
		w.WriteHeader(http.StatusFound)
	case KindPost, KindPostCross:
		drain(w, r)
		w.Header().Set("WWW-Authenticate", problem.StepUpChallenge(ask)) // every 401 has one (RFC 9110 15.5.2)
		g.Pages.StepUp(w, r, v.principal(), g.WayBack.ConfirmPage(ask), kind == KindPost, reference)
	default:
		if kind == KindPreflight && g.CORS.Preflight(w, r) {
			return
		}
		w.Header().Set("WWW-Authenticate", problem.StepUpChallenge(ask))
		g.CORS.Allow(w.Header(), r)
		problem.Write(w, problem.Problem{Code: identity.CodeStepUpRequired, ACRValues: ask.ACRValues(), MaxAge: seconds(ask.MaxAge),
			ConfirmURL: g.WayBack.ConfirmPage(ask), Reference: reference})
	}
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// visitorAddress is the address that networks are judged by; the zero address, which is in none, when the server could
// not tell. The address of a trusted proxy is not its visitor's: that is what Caddy falls back to when the proxy does not
// say whom it speaks for, or names nobody outside trusted_proxies. A proxy that asks forward_auth always speaks for
// somebody else.
func (s *Site) visitorAddress(r *http.Request, c Client) netip.Addr {
	addr := c.Address()
	if c.TrustedPeer && (s.forwards != nil || len(r.Header["X-Forwarded-For"]) > 0) && addr == authn.ParseAddress(r.RemoteAddr) {
		return netip.Addr{}
	}
	return addr
}
