package gate

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/cors"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

type noted struct{ events []audit.Event }

func (n *noted) Deny(_ audit.Denial, event func() audit.Event) string { return n.Note(event()) }

func (n *noted) Note(e audit.Event) string { n.events = append(n.events, e); return "R-2222-2222" }

type counted []string

func (c *counted) Decision(decision, reason string)       { *c = append(*c, decision+" "+reason) }
func (c *counted) DecisionDuration(string, time.Duration) {}
func (c *counted) RateLimited(string)                     {}

// MF-21: a user without a session of this gateway cannot prove more. Whatever is unmet is a refusal that is audited,
// 403 for each code, and no challenge that nothing could answer.
func TestWhoCannotProveMoreIsRefused(t *testing.T) {
	origins, err := cors.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	site := compiled(t, SiteConfig{}, NewSites(rules.NewBook(nil)))
	ours := identity.NewID().String()
	for name, p := range map[string]*identity.Principal{
		"another issuer":              {UserID: "https://idp.test|42"},
		"its subject looks like ours": {UserID: "https://idp.test|" + ours, SessionID: ours},
		"ours, but without a session": {UserID: ours},
		"a session id that cannot be": {UserID: ours, SessionID: "x"},
	} {
		for code, ask := range map[identity.Code]identity.Assurance{identity.CodeMFARequired: {MFA: true},
			identity.CodePasskeyRequired: {Passkey: true}, identity.CodeReauthRequired: {MaxAge: time.Minute}} {
			log, metrics := &noted{}, &counted{}
			g := &Gate{Audit: log, Metrics: metrics, CORS: origins}
			w := httptest.NewRecorder()
			g.refuse(w, &request{Request: httptest.NewRequest(http.MethodGet, "https://app.test/x", nil), site: site,
				client:    Client{Addr: "192.0.2.1"},
				Judgement: Judgement{principal: p, Decision: policy.Decision{Code: code, Rule: "caddyfile:require#1", Ask: ask}}})
			if w.Code != http.StatusForbidden || w.Header().Get("WWW-Authenticate") != "" || w.Header().Get("Location") != "" {
				t.Errorf("%s, %s: %d %v", name, code, w.Code, w.Header())
			}
			if len(log.events) != 1 || log.events[0].Reason != string(code) || len(*metrics) != 1 ||
				(*metrics)[0] != "deny "+string(code) {
				t.Errorf("%s, %s: %v %v", name, code, log.events, *metrics)
			}
		}
	}
	if !canStepUp(&identity.Principal{UserID: ours, SessionID: ours}) || canStepUp(nil) {
		t.Error("control: a user with a session can prove more, and an anonymous visitor cannot")
	}
}
