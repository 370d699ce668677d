package test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// ED-23 tabs that a browser opens at once, before it has a flow cookie, each get one, and the last stays in the jar.
// One sign-in, and every tab ends at its own page: on one host, and through the portal. The other browser of a callback
// that is passed around gets no session by it.
func TestTabsThatAreOpenedAtOnceEndAtTheirPages(t *testing.T) {
	s := ssoSites.open(t)
	for _, host := range []string{"app.test", "auth.test"} {
		path := func(i int) string {
			if host == "auth.test" {
				return fmt.Sprintf("/.truxe/account/sessions?tab=%d", i)
			}
			return fmt.Sprintf("/tab/%d?x=%d", i, i)
		}
		v := s.browser(host)
		logins := make([]string, 6)
		var all sync.WaitGroup
		for i := range logins {
			all.Go(func() { // none of them sends a flow cookie: all leave before the first answer
				fresh := s.bare(host)
				a, err := fresh.try(http.MethodGet, path(i), "", navigate)
				if err != nil || a.status != http.StatusFound {
					t.Errorf("tab %d: %d %v", i, a.status, err)
					return
				}
				logins[i] = a.header.Get("Location")
				res := &http.Response{Header: a.header}
				v.c.Jar.SetCookies(&url.URL{Scheme: "https", Host: host, Path: "/"}, res.Cookies())
			})
		}
		all.Wait()
		portal := v.at("auth.test")
		for i, login := range logins {
			var last answer
			var where string
			if i == 0 {
				last, where = portal.follow(portal.tryForm(login, "pia", piaPassword).want(http.StatusSeeOther))
			} else { // the login page of every other tab goes on by itself
				last, where = portal.follow(portal.get(login, navigate))
			}
			if last.status != http.StatusOK || !strings.HasSuffix(where, path(i)) || !strings.Contains(where, host) {
				t.Errorf("%s: tab %d ends with %d at %s", host, i, last.status, where)
			}
		}
	}
}

// ED-23 the same in a real browser: six tabs at once, one sign-in.
func TestSixTabsAtOnceInARealBrowser(t *testing.T) {
	s := live.open(t)
	v := s.view(t, false)
	tabs := []*viewer{v}
	for range 5 {
		tabs = append(tabs, &viewer{v.NewTab(), t, s.g, false})
	}
	link := func(i int) string { return v.at("app", fmt.Sprintf("/orders?tab=%d#row-3", i)) }
	var all sync.WaitGroup
	for i, tab := range tabs {
		all.Go(func() { tab.Open(link(i)) })
	}
	all.Wait()
	tabs[2].signIn("pia", piaPassword)
	tabs[2].lands(link(2))
	for i, tab := range tabs {
		if i == 2 {
			continue
		}
		if !strings.Contains(tab.Location(), "/orders?tab=") { // it waits beside its form until it is looked at
			tab.WaitVisible("#other-tab a")
			tab.Click("#other-tab a")
		}
		tab.WaitText("h1", "Orders")
		if at := tab.Location(); !strings.HasPrefix(at, v.at("app", fmt.Sprintf("/orders?tab=%d", i))) {
			t.Errorf("tab %d ends at %s", i, at)
		}
	}
}

// ED-23 a frame in another host's page shows a link to sign in. The link opens the login page at the top, by way of the
// app's own host, since a frame of another site keeps no flow cookie; it ends at the page of the frame.
func TestFrameInAnotherHostsPageLeadsToASignInThatEnds(t *testing.T) {
	s := ssoSites.open(t)
	frame := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site", "Accept",
		"text/html"}
	a := s.bare("app.test").get("/panel?x=1&y=2", frame).want(http.StatusUnauthorized)
	if policy := a.header.Get("Content-Security-Policy"); strings.Contains(policy, "frame-ancestors 'self'") ||
		strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("another host's page may not show it: %s", policy)
	}
	if a.setsCookie("__Host-truxe-flow") != "" {
		t.Error("a cookie is set in another site's frame, where browsers drop it")
	}
	if !strings.Contains(a.body, `target="_top"`) || !strings.Contains(a.body,
		`href="/.truxe/login?return=%2Fpanel%3Fx%3D1%26y%3D2"`) {
		t.Fatalf("the frame shows %.1500s", a.body)
	}
	v := s.browser("app.test")
	login := v.get("/.truxe/login?return="+url.QueryEscape("/panel?x=1&y=2"),
		navigate).want(http.StatusFound).header.Get("Location")
	portal := v.at("auth.test")
	last, where := portal.follow(portal.tryForm(login, "pia", piaPassword).want(http.StatusSeeOther))
	if last.status != http.StatusOK || !strings.HasSuffix(where, "/panel?x=1&y=2") {
		t.Errorf("the sign-in ends with %d at %s", last.status, where)
	}
	// Accept control: every other page of ours stays out of frames.
	if policy := portal.get("/.truxe/account", navigate).header.Get("Content-Security-Policy"); !strings.Contains(policy,
		"frame-ancestors 'none'") {
		t.Errorf("control: %s", policy)
	}
}

// ED-23 an old browser that sends no Fetch Metadata gets the page when the session of its form has ended; scripts get
// problem+json.
func TestFormOfABrowserWithoutFetchMetadataGetsThePage(t *testing.T) {
	s := ssoSites.open(t)
	html := []string{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	for _, c := range []struct {
		name    string
		headers [][]string
		page    bool
		again   bool
	}{
		{"a form", [][]string{html, form, {"Origin", "https://app.test"}}, true, true},
		{"a form, Referer only", [][]string{html, form, {"Referer", "https://app.test/orders"}}, true, true},
		{"a form that says nothing of where it is", [][]string{html, form}, true, false},
		{"an upload", [][]string{html, {"Content-Type", "multipart/form-data; boundary=x"}, {"Origin", "https://app.test"}},
			true, true},
		{"another site's form", [][]string{html, form, {"Origin", "https://evil.example"}}, true, false},
		{"a form of a privacy proxy", [][]string{html, form, {"Origin", "null"}}, true, false},
		{"XMLHttpRequest", [][]string{{"Accept", "text/html, */*; q=0.01"}, form, {"X-Requested-With", "XMLHttpRequest"}},
			false, false},
		{"JSON", [][]string{html, sendsJSON}, false, false},
		{"curl", [][]string{program, form}, false, false},
	} {
		a := s.bare("app.test").do(http.MethodPost, "/save", "x=1", c.headers...).want(http.StatusUnauthorized)
		page := strings.HasPrefix(a.header.Get("Content-Type"), "text/html")
		if page != c.page || strings.Contains(a.body, "data-resubmit") != c.again {
			t.Errorf("%s: %s, submit again: %v", c.name, a.header.Get("Content-Type"), strings.Contains(a.body, "data-resubmit"))
		}
		if !page {
			a.problem(http.StatusUnauthorized, "login_required")
		}
	}
	if seen := s.up.Seen(); len(seen) != 0 {
		t.Errorf("the app got %d requests", len(seen))
	}
}

// ED-23 signing out clears the browser's cache of this host, so that Back shows nothing of the app: on the page and at
// the API.
func TestSignOutClearsTheCache(t *testing.T) {
	s := ssoSites.open(t)
	for name, out := range map[string]func(v *visitor) answer{
		"page": func(v *visitor) answer { return v.form("logout").want(http.StatusSeeOther) },
		"API": func(v *visitor) answer {
			return v.do(http.MethodPost, "/.truxe/api/v1/logout", "", fetch,
				[]string{"Origin", "https://app.test"}).want(http.StatusNoContent)
		},
	} {
		v := s.browser("app.test")
		portal := v.at("auth.test")
		portal.follow(portal.tryForm(v.begin("app.test", "/").login, "pia", piaPassword).want(http.StatusSeeOther))
		if got := out(v).header.Get("Clear-Site-Data"); got != `"cache"` {
			t.Errorf("%s: Clear-Site-Data %q", name, got)
		}
		if a := v.get("/.truxe/logout", navigate); a.header.Get("Clear-Site-Data") != "" {
			t.Errorf("%s: reading a page clears the cache", name)
		}
	}
}

// ED-23 Back after sign-out asks for a sign-in in a real browser, whatever it had kept of the app's page.
func TestBackAfterSignOutShowsNoPageOfTheApp(t *testing.T) {
	s := alone.open(t)
	s.user("beate", piaPassword)
	v := s.view(t, false)
	v.Open(v.at("app", "/orders"))
	v.signIn("beate", piaPassword)
	v.WaitText("h1", "Orders")
	v.Click("#next")
	v.WaitLocation("page=2")
	// Accept control: without a sign-out, Back shows the page.
	v.back(1)
	v.WaitEval(pageWait, "the page before", `location.search === "" && document.readyState === "complete"`)
	v.WaitText("h1", "Orders")
	v.signOut("app", func(string) {})
	v.back(2)
	v.WaitText("h1", "Sign in")
}

// back goes back in the history. The page answers before it goes: a question that a navigation takes away has no
// answer.
func (v *viewer) back(pages int) {
	v.t.Helper()
	rig.Eval[bool](v.Chromium, fmt.Sprintf("(setTimeout(() => history.go(-%d), 20), true)", pages))
}

// ED-22 CS-06 ingress-nginx appends ?rd= with the whole address. It counts when the configuration names its origin: a
// page of this host, or the login page of the other one, which begins the sign-in there. Anything else is ignored.
func TestLoginPageTakesAddressesOfTheConfigurationOnly(t *testing.T) {
	s := ssoSites.open(t)
	app, auth, vault := s.origin("app.test"), s.origin("auth.test"), s.origin("vault.test")
	for _, name := range []string{"rd", "return"} {
		// From the portal to the app and back with a ticket.
		v := s.browser("auth.test")
		a := v.get("/.truxe/login?"+name+"="+url.QueryEscape(app+"/deep?x=1&y=2"), navigate).want(http.StatusFound)
		if to := a.header.Get("Location"); to != app+"/.truxe/login?return="+url.QueryEscape("/deep?x=1&y=2") {
			t.Fatalf("%s of another host leads to %s", name, to)
		}
		login := v.get(a.header.Get("Location"), navigate).want(http.StatusFound).header.Get("Location")
		last, where := v.follow(v.tryForm(login, "pia", piaPassword).want(http.StatusSeeOther))
		if last.status != http.StatusOK || where != app+"/deep?x=1&y=2" {
			t.Errorf("%s: the sign-in ends with %d at %s", name, last.status, where)
		}
		// Signed in, the app's own host.
		if _, where := v.at("app.test").follow(v.at("app.test").get("/.truxe/login?"+name+"="+url.QueryEscape(app+"/other"),
			navigate)); where != app+"/other" {
			t.Errorf("%s: signed in, it ends at %s", name, where)
		}
		bad := []string{"https://evil.example/", "https://evil.example" + app, "//evil.example/", `/\evil.example/`,
			`https:\\evil.example/`, "https:evil.example", "javascript:alert(1)",
			"https://app.test.evil.example/", "https://app.test@evil.example/", "https://evil.example#@app.test/",
			"https://evil.example\\@app.test/", "https://app.test:9999/", "http://app.test/",
			strings.Replace(app, "https", "http", 1) + "/", app + "//evil.example/", app + "/\\evil.example", app + "/\t",
			" " + app + "/", "https://APP.TEST.:1/", app + ".evil.example/", "https://user:pw@app.test/",
			"https://app.test%2eevil.example/", "https://app%2etest/", "data:text/html,x", "ftp://app.test/",
			app + "\r\nSet-Cookie: x=y"}
		for _, c := range redirectTable(t) {
			bad = append(bad, c.URL)
		}
		for _, text := range bad {
			a := s.browser("auth.test").get("/.truxe/login?"+name+"="+url.QueryEscape(text), navigate).want(http.StatusOK)
			if a.header.Get("Refresh") != "" || strings.Contains(a.text(), "evil") {
				t.Errorf("%s=%q: %.300s", name, text, a.text())
			}
			if text == "/redirect" { // a path of this host
				continue
			}
			a = v.get("/.truxe/login?"+name+"="+url.QueryEscape(text), navigate)
			if to := a.header.Get("Location"); !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
				t.Errorf("signed in, %s=%q leads to %s", name, text, to)
			}
		}
	}
	for host, want := range map[string]string{vault: vault, "https://auth.test": "/.truxe/account", auth: auth} {
		if to := s.victim().get("/.truxe/login?rd="+url.QueryEscape(host+"/.truxe/account"),
			navigate).want(http.StatusFound).header.Get("Location"); !strings.HasPrefix(to, want) {
			t.Errorf("control: %s leads to %s", host, to)
		}
	}
}

// redirectTable is a peer's table of targets, without those that are paths.
func redirectTable(t *testing.T) []struct{ URL string } {
	t.Helper()
	var table struct{ Cases []struct{ URL string } }
	if raw, ok := corpus(t, "redirect/oauth2_proxy_validator_table.json"); ok {
		readJSON(t, raw, &table)
	}
	return slices.DeleteFunc(table.Cases, func(c struct{ URL string }) bool { return c.URL == "" })
}
