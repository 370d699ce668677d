package test

import (
	"net/http"
	"strings"
	"testing"
)

// FIELD-CASES 43: the access log names the user.
func TestAccessLogNamesTheUser(t *testing.T) {
	s := tell(t, plot{sites: site("app.test",
		"\tlog\n\tlog_append user {http.auth.user.name}\n\ttruxe {\n\t\tpublic /open\n\t}\n\treverse_proxy UPSTREAM")})
	s.withBearer("app.test", s.login("app.test", "pia", piaPassword).Access).get("/mine", program).want(http.StatusOK)
	s.bare("app.test").get("/open", program).want(http.StatusOK)
	line := func(uri string) string { return s.g.WaitLog(`"http.log.access[^\n]*"uri":"` + uri + `"[^\n]*`)[0] }
	if got := line("/mine"); !strings.Contains(got, `"user":"pia"`) {
		t.Errorf("the line of pia: %s", got)
	}
	if got := line("/open"); strings.Contains(got, `"user":"pia"`) {
		t.Errorf("the line of a stranger: %s", got)
	}
}

// FIELD-CASES 34: a request with an app's own key goes by the gate, forged identity does not; without a key it is
// judged.
func TestAppsOwnKeysGoByTheGate(t *testing.T) {
	s := tell(t, plot{sites: site("app.test",
		"\t@users not {\n\t\tpath /api/*\n\t\theader X-Api-Key *\n\t}\n\ttruxe @users\n\treverse_proxy UPSTREAM")})
	v, key := s.bare("app.test"), []string{"X-Api-Key", "k", "Remote-User", "root"}
	v.get("/api/x", program, key).want(http.StatusOK)
	if got := s.up.Last(); len(got.Get("Remote-User")) > 0 || len(got.Get("X-Api-Key")) != 1 {
		t.Errorf("the app got %v", got.Header)
	}
	for _, a := range []answer{v.get("/api/x", program), v.get("/page", program, key)} {
		a.problem(http.StatusUnauthorized, "login_required")
	}
}
