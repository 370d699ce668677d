package gate

import (
	"net/http"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

// canStepUp reports whether a user can prove more: one who has a session of this gateway can. The token of a trusted
// issuer has none, so a rule that it does not meet is a plain refusal.
func canStepUp(p *identity.Principal) bool {
	if p == nil || strings.IndexByte(p.UserID, '|') >= 0 {
		return false
	}
	_, ok := identity.ParseID(p.SessionID)
	return ok
}

// askToStepUp answers a request of a user who has to prove a factor first, by its kind (CONTRACT section 3). As with
// a sign-in, a form is answered in place and never redirected (CS-12).
func (g *Gate) askToStepUp(w http.ResponseWriter, q *request, reference string) {
	r, ask, kind := q.Request, q.Ask, q.kindOf(g.Origins)
	switch kind {
	case KindNavigate, KindFrame:
		url := g.WayBack.ConfirmURL(w, r, q.credential, r.URL.RequestURI(), ask)
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
		g.Pages.StepUp(w, r, q.principal, g.WayBack.ConfirmPage(ask), kind == KindPost, reference)
	default:
		if kind == KindPreflight && g.CORS.Preflight(w, r) {
			return
		}
		w.Header().Set("WWW-Authenticate", problem.StepUpChallenge(ask))
		g.CORS.Allow(w.Header(), r)
		problem.Write(w, problem.Problem{Code: identity.CodeStepUpRequired, ACRValues: ask.ACRValues(),
			MaxAge:     seconds(ask.MaxAge),
			ConfirmURL: g.WayBack.ConfirmPage(ask), Reference: reference})
	}
}

func seconds(d time.Duration) int { return int(d / time.Second) }
