package gate

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// AppDown returns the status of an error by which the handlers after a gate report that the app does not answer. It is
// 0 for any other error, and where the site answers such errors itself.
type AppDown func(r *http.Request, err error) int

// ofPages are header fields of one page.
var ofPages = []string{"Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Length", "Etag", "Expires",
	"Last-Modified"}

// answerDown shows users a page when the app does not answer, and reports whether it did. Programs, frames and sites
// with error pages of their own get the server's answer. The log has the cause: the server logs only errors it is
// given.
func (g *Gate) answerDown(w http.ResponseWriter, q *request, answer *response, err error) bool {
	if err == nil || g.AppDown == nil || answer.begun || answer.own {
		return false
	}
	r, sent := q.Request, false
	switch q.kindOf(g.Origins) {
	case KindNavigate:
	case KindPost, KindPostCross:
		sent = true
	default:
		return false
	}
	status := g.AppDown(r, err)
	if status == 0 {
		return false
	}
	answer.harden = false // the page has headers of its own
	answer.settle()
	answer.own = true
	q.Decision = policy.Decision{Allow: true, Rule: q.Rule, Code: identity.CodeAppDown, Reason: err.Error()}
	q.reference = ""
	reference := g.remembered(q)
	g.Logger.Error("the app does not answer", "error", err.Error(), "status", status,
		"method", r.Method, "host", r.Host, "path", r.URL.Path, "reference", reference)
	h := w.Header()
	for _, name := range ofPages {
		delete(h, name) // set for the app's page by handlers on the way to it
	}
	if sent {
		drain(w, r)
	}
	g.Pages.AppDown(w, r, q.principal, status, sent, reference)
	return true
}
