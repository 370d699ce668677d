package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/console"
	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// promotion is a gateway whose one administrator is about to be given another role.
type promotion struct {
	*Gateway
	t    testing.TB
	site *gate.Site
	user identity.ID

	mu    sync.Mutex
	ahead time.Duration // what the gateway's clock is ahead of the wall
}

func (p *promotion) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.ahead)
}

func promote(t *testing.T) *promotion {
	t.Helper()
	p := &promotion{t: t, site: site(t)}
	p.Gateway = startAt(t, p.clock)
	users, _, err := p.engine.store.ListUsers(context.Background(), store.UserFilter{})
	if err != nil || len(users) != 1 {
		t.Fatal(users, err)
	}
	p.user = users[0].ID
	return p
}

func (p *promotion) roles(roles ...string) {
	p.t.Helper()
	if _, err := p.people.UpdateUser(context.Background(), console.CommandLine, p.user,
		store.UserChange{Roles: &roles}); err != nil {
		p.t.Fatal(err)
	}
}

// visit returns the answer, the session cookie in it, and what reached the app.
func (p *promotion) visit(sent string,
	change ...func(*http.Request)) (w *httptest.ResponseRecorder, fresh string, up *upstream) {
	p.t.Helper()
	r := newRequest("Cookie", sent)
	for _, f := range change {
		f(r)
	}
	w, up = httptest.NewRecorder(), &upstream{}
	if err := p.Gate().Serve(w, r, p.site, gate.Client{Addr: "127.0.0.1"}, up, nil); err != nil {
		p.t.Fatal(err)
	}
	for _, line := range w.Header()["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == authn.SessionCookie && c.MaxAge >= 0 {
			if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
				p.t.Errorf("cookie %s", line)
			}
			fresh = c.Name + "=" + c.Value
		}
	}
	return w, fresh, up
}

func script(r *http.Request) {
	r.Header["Sec-Fetch-Mode"], r.Header["Sec-Fetch-Dest"], r.Header["Sec-Fetch-Site"] = []string{"cors"},
		[]string{"empty"}, []string{"same-origin"}
}

// SE-02: after a change of roles the next navigation gets a new secret, once; the old one lives for the requests under
// way and is dead then. The session that apps see stays the same.
func TestRoleChangeGivesTheSessionANewSecret(t *testing.T) {
	p := promote(t)
	old, _ := signIn(t, p.Gateway)
	_, fresh, before := p.visit(old)
	if fresh != "" || before.served != 1 {
		t.Fatal("control: nothing to renew")
	}
	p.roles(identity.AdminRole, "auditor")

	_, fresh, up := p.visit(old, script)
	if fresh != "" || up.served != 1 || up.header.Get("Remote-Groups") != "admin,auditor" {
		t.Errorf("a script's request is served with the new roles and the old secret: %q, %v", fresh, up.header)
	}
	w, fresh, up := p.visit(old, func(r *http.Request) { r.URL.RawQuery = "page=2" })
	if w.Code != http.StatusFound || w.Header().Get("Location") != "?page=2" ||
		w.Header().Get("Cache-Control") != "no-store" || fresh == "" || fresh == old || up.served != 0 {
		t.Fatalf("the navigation: %d %v", w.Code, w.Header())
	}
	_, again, up := p.visit(fresh)
	if again != "" || up.served != 1 || up.header.Get("X-Truxe-Session") != before.header.Get("X-Truxe-Session") ||
		up.header.Get("X-Truxe-Session") == "" {
		t.Errorf("the new secret: %q, %v, before %v", again, up.header, before.header)
	}
	if _, again, up := p.visit(old); again != "" || up.served != 1 {
		t.Errorf("a request that was under way: served %d, cookie %q", up.served, again)
	}
	p.mu.Lock()
	p.ahead = session.Grace + time.Second
	p.mu.Unlock()
	if w, again, up := p.visit(old); again != "" || up.served != 0 || w.Code != http.StatusFound ||
		strings.HasPrefix(w.Header().Get("Location"), "?") {
		t.Errorf("the old secret after the grace: %d %v", w.Code, w.Header())
	}
	if _, _, up := p.visit(fresh); up.served != 1 {
		t.Error("the new secret ended with the old one")
	}
}

// SE-02: of fifty navigations at once one gets the new cookie, and none is turned away.
func TestRacingNavigationsRenewOnce(t *testing.T) {
	p := promote(t)
	old, _ := signIn(t, p.Gateway)
	p.visit(old)
	p.roles(identity.AdminRole, "auditor")
	var all sync.WaitGroup
	var mu sync.Mutex
	cookies, served := map[string]int{}, 0
	for range 50 {
		all.Go(func() {
			w, fresh, up := p.visit(old)
			mu.Lock()
			defer mu.Unlock()
			served += up.served
			if fresh != "" {
				cookies[fresh]++
			} else if up.served != 1 {
				t.Errorf("turned away with %d", w.Code)
			}
		})
	}
	all.Wait()
	if len(cookies) != 1 || served != 49 {
		t.Errorf("%d new cookies, %d requests served", len(cookies), served)
	}
}

// SE-02 SE-11: signing out within the grace ends the session for both secrets; a secret that was renewed once is not
// asked for again, and a stranger's secret gains nothing.
func TestGraceEndsWithTheSession(t *testing.T) {
	p := promote(t)
	old, _ := signIn(t, p.Gateway)
	other, _ := signIn(t, p.Gateway)
	p.roles(identity.AdminRole, "auditor")
	_, fresh, _ := p.visit(old)
	_, otherFresh, _ := p.visit(other)
	if fresh == "" || otherFresh == "" || fresh == otherFresh {
		t.Fatal("each session gets a secret of its own")
	}
	found, err := p.gate.Verifier.Sessions.Find(context.Background(), strings.TrimPrefix(fresh, authn.SessionCookie+"="),
		"app.test")
	if err != nil || found == nil {
		t.Fatal(err)
	}
	if err := p.signin.Sessions.SignOut(context.Background(),
		change.By{Principal: found.Principal, Host: "app.test"}); err != nil {
		t.Fatal(err)
	}
	for name, cookie := range map[string]string{"old": old, "new": fresh} {
		if _, _, up := p.visit(cookie); up.served != 0 {
			t.Errorf("the %s secret is let in after the sign-out", name)
		}
	}
	if _, _, up := p.visit(other); up.served != 1 {
		t.Error("control: another session's grace")
	}
	p.roles(identity.AdminRole, "auditor") // no change
	if _, again, _ := p.visit(otherFresh); again != "" {
		t.Error("renewed without a change of roles")
	}
}

// SE-02: the gateway's own pages renew too, so an administrator who never opens an app is not left out; its API does
// not.
func TestRoleChangeRenewsOnOurOwnPages(t *testing.T) {
	p := promote(t)
	old, _ := signIn(t, p.Gateway)
	p.roles(identity.AdminRole, "auditor")
	ask := func(path, cookie string, change ...func(*http.Request)) *httptest.ResponseRecorder {
		r := newRequest("Cookie", cookie)
		r.URL.Path = path
		for _, f := range change {
			f(r)
		}
		w := httptest.NewRecorder()
		p.portal.Serve(w, r, authn.Client{Addr: "127.0.0.1"}, false)
		return w
	}
	if w := ask("/.truxe/api/v1/session", old, script); w.Code != http.StatusOK || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("the API: %d %v", w.Code, w.Header())
	}
	w := ask("/.truxe/account", old)
	c, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	if err != nil || w.Code != http.StatusFound || w.Header().Get("Location") != "?" || c.Name != authn.SessionCookie {
		t.Fatalf("the page: %d %v %v", w.Code, w.Header(), err)
	}
	if w := ask("/.truxe/account", c.Name+"="+c.Value); w.Code != http.StatusOK || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("with the new cookie: %d %v", w.Code, w.Header())
	}
}
