package test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

var refreshSites = share(plot{
	options: "\t\trate_limit login 1000 5m\n\t\trate_limit address 1000 5m",
	sites:   site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
})

// tryRefresh uses a refresh token.
func (s *story) tryRefresh(token string) answer {
	s.t.Helper()
	return s.bare("app.test").do(http.MethodPost, "/.truxe/api/v1/token",
		values("grant_type", "refresh_token", "refresh_token", token), sendsForm)
}

// refresh uses a refresh token, which must work.
func (s *story) refresh(token string) tokens {
	s.t.Helper()
	a := s.tryRefresh(token).want(200)
	var out tokens
	a.json(&out)
	if out.Access == "" || out.Refresh == "" || out.Refresh == token || out.Type != "Bearer" || out.ExpiresIn != 900 {
		s.t.Fatalf("refresh: %s", a.body)
	}
	return out
}

// RT-01, RT-05, JW-12 a refresh token works once; its second use ends family, session and every access token of it, is
// audited, and leaves other families alone.
func TestReplayedRefreshTokenRevokesFamily(t *testing.T) {
	s := refreshSites.open(t)
	bystander := s.login("app.test", "pia", piaPassword)
	first := s.login("app.test", "pia", piaPassword)
	second := s.refresh(first.Refresh)
	third := s.refresh(second.Refresh)
	for _, token := range []string{first.Access, second.Access, third.Access} {
		s.withBearer("app.test", token).get("/x", program).want(200)
	}
	p := s.tryRefresh(first.Refresh).problem(400, "invalid_grant")
	if p.Error != "invalid_grant" {
		t.Errorf("RFC 6749 error member %q", p.Error)
	}
	for _, token := range []string{first.Access, second.Access, third.Access} {
		s.withBearer("app.test", token).get("/x", program).problem(401, "invalid_token")
	}
	for _, token := range []string{second.Refresh, third.Refresh, first.Refresh} {
		s.tryRefresh(token).problem(400, "invalid_grant")
	}
	if out := s.cli("audit", "list", "--event", "authn_token_reuse", "-o", "jsonl"); !strings.Contains(out,
		first.SessionID) {
		t.Errorf("the reuse is not in the audit log: %s", out)
	}
	s.withBearer("app.test", bystander.Access).get("/x", program).want(200)
	s.refresh(bystander.Refresh)
}

// RT-02 of fifty uses at once one wins; the reuse that the others are ends the family.
func TestRacingRefreshHasOneWinner(t *testing.T) {
	s := refreshSites.open(t)
	first := s.login("app.test", "pia", piaPassword)
	start := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	var won tokens
	for range 50 {
		v := s.bare("app.test")
		wg.Go(func() {
			<-start
			a, err := v.comeAgain(http.MethodPost, "/.truxe/api/v1/token",
				values("grant_type", "refresh_token", "refresh_token", first.Refresh), sendsForm)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("refresh: %v", err)
				return
			}
			statuses[a.status]++
			if a.status == 200 {
				a.json(&won)
			}
		})
	}
	close(start)
	wg.Wait()
	// Fifty writers may find the one writer of SQLite busy, and then come again: a 503 uses nothing up.
	if statuses[200] != 1 || statuses[400] != 49 {
		t.Fatalf("answers %v, want one 200, and 400 for the others", statuses)
	}
	s.tryRefresh(won.Refresh).problem(400, "invalid_grant")
	s.withBearer("app.test", won.Access).get("/x", program).problem(401, "invalid_token")
}

// RT-03, JW-12 what was used stays used, what was revoked stays revoked and what lives goes on when the gateway is
// restarted or killed.
func TestUsedAndRevokedTokensStayDeadAcrossRestart(t *testing.T) {
	s := refreshSites.open(t)
	living, used, revoked := s.login("app.test", "pia", piaPassword), s.login("app.test", "pia",
		piaPassword), s.login("app.test", "pia", piaPassword)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	next := s.refresh(used.Refresh)
	s.revoke(revoked.Access).want(200)
	s.withBearer("app.test", revoked.Access).get("/x", program).problem(401, "invalid_token")

	s.g.Restart()
	s.withBearer("app.test", revoked.Access).get("/x", program).problem(401, "invalid_token")
	s.withBearer("app.test", living.Access).get("/x", program).want(200)
	pia.get("/x", program).want(200)
	s.refresh(next.Refresh)
	s.tryRefresh(used.Refresh).problem(400, "invalid_grant")
	s.withBearer("app.test", next.Access).get("/x", program).problem(401, "invalid_token")

	again := s.refresh(living.Refresh)
	s.g.Kill9()
	rig.WaitFor(t, 5*time.Second, "the process is gone", func() bool { return !s.g.Running() })
	s.g.Start()
	s.withBearer("app.test", revoked.Access).get("/x", program).problem(401, "invalid_token")
	s.withBearer("app.test", again.Access).get("/x", program).want(200)
	s.tryRefresh(living.Refresh).problem(400, "invalid_grant")
	s.withBearer("app.test", again.Access).get("/x", program).problem(401, "invalid_token")
}

// RT-06 a refresh is a full authorisation: it fails for a user disabled since, and brings today's roles.
func TestRefreshChecksThePersonAgain(t *testing.T) {
	s := refreshSites.open(t)
	s.user("otto", "purple candle workshop", "member")
	token := s.login("app.test", "otto", "purple candle workshop")
	token = s.refresh(token.Refresh)
	s.cli("users", "disable", "otto")
	s.tryRefresh(token.Refresh).problem(400, "invalid_grant")
	s.cli("users", "enable", "otto")
	s.tryRefresh(token.Refresh).problem(400, "invalid_grant") // what ended does not come back
	s.refresh(s.login("app.test", "otto", "purple candle workshop").Refresh)
}

// revoke is RFC 7009.
func (s *story) revoke(token string, more ...string) answer {
	s.t.Helper()
	return s.bare("app.test").do(http.MethodPost, "/.truxe/api/v1/revoke",
		values(append([]string{"token", token}, more...)...), sendsForm)
}

// RT-08 revoke is 200 for every token, also unknown ones; a refresh token ends all, an access token its JTI alone.
func TestRevokeEndsWhatTheTokenStandsFor(t *testing.T) {
	s := refreshSites.open(t)
	a := s.login("app.test", "pia", piaPassword)
	for _, unknown := range []string{"x", "trx_rt_x", "trx_rt_" + strings.Repeat("A", 49), "a.b.c",
		strings.Repeat("a", 5000)} {
		s.revoke(unknown).want(200)
	}
	s.revoke("").problem(400, "invalid_request")
	s.withBearer("app.test", a.Access).get("/x", program).want(200)

	s.revoke(a.Access, "token_type_hint", "refresh_token").want(200) // the hint may be wrong (RFC 7009 2.1)
	s.withBearer("app.test", a.Access).get("/x", program).problem(401, "invalid_token")
	b := s.refresh(a.Refresh)
	s.withBearer("app.test", b.Access).get("/x", program).want(200)

	s.revoke(b.Refresh).want(200)
	s.withBearer("app.test", b.Access).get("/x", program).problem(401, "invalid_token")
	s.tryRefresh(b.Refresh).problem(400, "invalid_grant")

	bystander := s.login("app.test", "pia", piaPassword)
	s.revoke(b.Refresh).want(200)
	s.withBearer("app.test", bystander.Access).get("/x", program).want(200)
}

// RT-09 introspection needs the permission; an inactive token is told by nothing but {"active":false}.
func TestIntrospectionTellsOnlyThoseWhoMay(t *testing.T) {
	s := refreshSites.open(t)
	root, pia := s.login("app.test", "root", adminPassword), s.login("app.test", "pia", piaPassword)
	ask := func(bearer, token string) answer {
		t.Helper()
		return s.withBearer("app.test", bearer).do(http.MethodPost, "/.truxe/api/v1/introspect", values("token", token),
			sendsForm)
	}
	s.bare("app.test").do(http.MethodPost, "/.truxe/api/v1/introspect", values("token", pia.Access),
		sendsForm).problem(401, "login_required")
	ask(pia.Access, pia.Access).problem(403, "permission_required")
	var claims map[string]any
	ask(root.Access, pia.Access).want(200).json(&claims)
	for name, want := range map[string]any{"active": true, "sub": pia.User.ID, "sid": pia.SessionID,
		"preferred_username": "pia"} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if claims["jti"] == nil || claims["exp"] == nil {
		t.Errorf("introspection: %v", claims)
	}
	var live map[string]any
	if ask(root.Access, pia.Refresh).want(200).json(&live); live["active"] != true {
		t.Errorf("a live refresh token: %v", live)
	}
	s.revoke(pia.Refresh).want(200)
	for _, dead := range []string{pia.Access, pia.Refresh, "x", "a.b.c", "trx_rt_x"} {
		a := ask(root.Access, dead).want(200)
		if strings.TrimSpace(a.body) != `{"active":false}` || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("an inactive token: %s %v", a.body, a.header)
		}
	}
}

// RT-10, RT-15 token answers are never stored; only the grants of the contract exist.
func TestTokenEndpointKnowsItsGrantsOnly(t *testing.T) {
	s := refreshSites.open(t)
	first := s.login("app.test", "pia", piaPassword)
	v := s.bare("app.test")
	const endpoint = "/.truxe/api/v1/token"
	for _, grant := range []string{"password", "implicit", "authorization_code",
		"urn:ietf:params:oauth:grant-type:device_code", "REFRESH_TOKEN", "refresh_token "} {
		a := v.do("POST", endpoint, values("grant_type", grant, "refresh_token", first.Refresh, "username", "pia", "password",
			piaPassword), sendsForm)
		if p := a.problem(400, "unsupported_grant_type"); p.Error != "unsupported_grant_type" {
			t.Errorf("error member %q", p.Error)
		}
	}
	for name, form := range map[string]string{"no grant": values("refresh_token", first.Refresh),
		"no token":    values("grant_type", "refresh_token"),
		"token twice": values("grant_type", "refresh_token", "refresh_token", first.Refresh, "refresh_token", first.Refresh),
		"grant twice": values("grant_type", "refresh_token", "grant_type", "refresh_token", "refresh_token", first.Refresh)} {
		if a := v.do("POST", endpoint, form, sendsForm); a.status != 400 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	v.do("POST", endpoint+"?"+values("grant_type", "refresh_token", "refresh_token", first.Refresh), "",
		sendsForm).want(400)
	v.do("POST", endpoint, `{"grant_type":"refresh_token","refresh_token":"`+first.Refresh+`"}`, sendsJSON).want(400, 415)
	for _, broken := range []string{"x", "trx_rt_", first.Refresh + "A", first.Refresh[:len(first.Refresh)-1],
		swapCase(first.Refresh), first.Access} {
		s.tryRefresh(broken).problem(400, "invalid_grant")
	}
	a := s.tryRefresh(first.Refresh).want(200) // none of these used it up
	if a.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(a.header.Get("Content-Type"),
		"application/json") {
		t.Errorf("headers %v", a.header)
	}
}
