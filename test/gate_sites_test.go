package test

import (
	"strings"
	"testing"
)

// AZ-07 a public path is open and nothing else is, whatever spelling or health-check look a request has; a signed-in
// visitor of a public path is announced like anywhere else.
func TestPublicPathsOpenNothingElse(t *testing.T) {
	s := gateSites.open(t)
	anyone := s.bare("app.test")
	for _, path := range []string{"/healthz", "/public/x", "/public/deep/x", "/healthz?q=/x"} {
		anyone.get(path, program).want(200)
		if got := s.up.Last(); got.Target != path || len(got.Get("Remote-User")) > 0 {
			t.Errorf("%s: the upstream received %s %v", path, got.Target, got.Get("Remote-User"))
		}
	}
	s.up.Forget()
	for _, path := range []string{"/healthz/x", "/healthzz", "/x/healthz", "/publicx", "/x?next=/public/x", "/x#/public/x",
		"/Public/x", "/"} {
		for _, look := range [][]string{program, {"User-Agent", "GoogleHC/1.0"}, {"User-Agent", "kube-probe/1.30"},
			{"X-Forwarded-Uri", "/public/x"}} {
			anyone.get(path, look).problem(401, "login_required")
		}
	}
	for _, path := range []string{"/public/../x", "/public/%2e%2e/x", "/public/..%2fx", "/public%2f..%2fx",
		"/public/..;/x", "/public/x%00", `/public/..%5cx`} {
		anyone.get(path, program).want(400, 401, 404)
	}
	if seen := s.up.Seen(); len(seen) > 0 {
		t.Fatalf("the upstream received %s", seen[0].Target)
	}
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	pia.get("/public/x", program).want(200)
	got := s.up.Last()
	if strings.Join(got.Get("Remote-User"), "") != "pia" || strings.Join(got.Get("X-Auth-User"), "") != "pia" {
		t.Errorf("a signed-in visitor of a public path is announced as %v", got.Header)
	}
}

// HD-01, SE-09 with a matcher, requests outside of it are not judged, yet cleaned; the gateway's pages hold everywhere.
func TestMatcherProtectsOnlyWhatItNames(t *testing.T) {
	s := gateSites.open(t)
	anyone := s.bare("matcher.test")
	forged := []string{"Remote-User", "root", "remote_groups", "admin"}
	anyone.get("/open", program, forged).want(200)
	if got := s.up.Last(); strings.Contains(strings.ToLower(got.Raw), "remote") {
		t.Errorf("outside the matcher the upstream received %s", got.Raw)
	}
	s.up.Forget()
	anyone.get("/admin/x", program, forged).problem(401, "login_required")
	anyone.get("/admin/", navigate).want(302)
	if len(s.up.Seen()) > 0 {
		t.Error("an anonymous request reached /admin/")
	}
	anyone.get("/.truxe/login", navigate).want(200)
	pia := s.browser("matcher.test")
	pia.signIn("pia", piaPassword)
	pia.get("/admin/x", navigate, forged).want(200)
	if got := s.up.Last().Get("Remote-User"); len(got) != 1 || got[0] != "pia" {
		t.Errorf("Remote-User %q", got)
	}
}

// HD-01, AZ-01 two directives in one site: each judges its own paths, and the second still knows who it is.
func TestTwoDirectivesInOneSite(t *testing.T) {
	s := gateSites.open(t)
	anyone := s.bare("two.test")
	for _, path := range []string{"/a/x", "/b/x"} {
		anyone.get(path, program).problem(401, "login_required")
	}
	anyone.get("/b/public", program).want(200)
	anyone.get("/neither", program, []string{"Remote-User", "root"}).want(200)
	if got := s.up.Last().Get("Remote-User"); len(got) > 0 {
		t.Errorf("between two directives a forged Remote-User %q passed", got)
	}
	pia := s.browser("two.test")
	pia.signIn("pia", piaPassword)
	pia.get("/a/x", program).problem(403, "role_required")
	pia.get("/b/x", program).want(200)
	if got := s.up.Last().Get("Remote-User"); len(got) != 1 || got[0] != "pia" {
		t.Errorf("behind the second directive Remote-User is %q", got)
	}
	token := s.login("two.test", "pia", piaPassword).Access
	s.withBearer("two.test", token).get("/a/x", program).problem(403, "role_required")
	s.withBearer("two.test", token).get("/b/x", program).want(200)
}

// AZ-01 inside `handle` the directive protects that part of the site alone.
func TestDirectiveInsideHandle(t *testing.T) {
	s := gateSites.open(t)
	anyone := s.bare("nested.test")
	if a := anyone.get("/open/x", program).want(200); a.body != "open" {
		t.Errorf("body %q", a.body)
	}
	anyone.get("/x", program).problem(401, "login_required")
	pia := s.browser("nested.test")
	pia.signIn("pia", piaPassword)
	pia.get("/x", navigate).want(200)
	if got := s.up.Last().Get("Remote-User"); len(got) != 1 || got[0] != "pia" {
		t.Errorf("Remote-User %q", got)
	}
}

// HD-01, HD-03 what the upstream learns of a signed-in visitor (CONTRACT section 4), each header once.
func TestUpstreamLearnsWhoItIs(t *testing.T) {
	s := gateSites.open(t)
	s.user("nils", "nine slow glaciers sing", "staff", "member")
	pia := s.browser("app.test")
	pia.signIn("nils", "nine slow glaciers sing")
	pia.get("/x", program).want(200)
	first := s.up.Last()
	for name, want := range map[string]string{"Remote-User": "nils", "Remote-Name": "Nils",
		"Remote-Email":  "nils@example.com",
		"Remote-Groups": "member,staff", "X-Truxe-Amr": "pwd", "X-Auth-User": "nils"} {
		if got := first.Get(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q once", name, got, want)
		}
	}
	pia.get("/y", program).want(200)
	for _, name := range []string{"X-Truxe-User-Id", "X-Truxe-Session"} {
		one, two := first.Get(name), s.up.Last().Get(name)
		if len(one) != 1 || one[0] == "" || len(two) != 1 || one[0] != two[0] || one[0] == pia.session() {
			t.Errorf("%s is %q, then %q", name, one, two)
		}
	}
	again := s.browser("app.test")
	again.signIn("nils", "nine slow glaciers sing")
	again.get("/x", program).want(200)
	if one, two := first.Get("X-Truxe-Session"), s.up.Last().Get("X-Truxe-Session"); one[0] == two[0] {
		t.Error("two sessions have one X-Truxe-Session")
	}
}
