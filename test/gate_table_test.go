package test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// gateSites is one host for each way of writing the directive.
var gateSites = share(plot{
	options: "\t\tcors https://spa.test",
	sites: site("app.test",
		"\ttruxe {\n\t\tpublic /healthz /public/*\n\t\theader X-Auth-User {http.auth.user.name}\n\t}\n\treverse_proxy UPSTREAM") +
		site("staff.test", "\ttruxe {\n\t\tallow role staff admin\n\t\tallow user vera\n\t}\n\treverse_proxy UPSTREAM") +
		site("matcher.test", "\ttruxe /admin/*\n\treverse_proxy UPSTREAM") +
		site("two.test",
			"\ttruxe /a/* {\n\t\tallow role staff\n\t}\n\ttruxe /b/* {\n\t\tpublic /b/public\n\t}\n\treverse_proxy UPSTREAM") +
		site("nested.test",
			"\thandle /open/* {\n\t\trespond \"open\"\n\t}\n\thandle {\n\t\ttruxe\n\t\treverse_proxy UPSTREAM\n\t}"),
})

// tableRow is a request of CONTRACT section 3.
type tableRow struct {
	name, method, path, body string
	headers                  []string
	status                   int    // without a credential
	page                     string // words of the page; "" wants problem+json
	not                      string // words that must not be there
}

var contractTable = []tableRow{
	{name: "navigation", method: "GET", path: "/x?a=1", headers: navigate, status: 302},
	{name: "navigation by HEAD", method: "HEAD", path: "/x", headers: navigate, status: 302},
	{name: "navigation told by Accept alone", method: "GET", path: "/x",
		headers: []string{"Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}, status: 302},
	{name: "navigation in a frame", method: "GET", path: "/x", status: 401, page: `target="_top"`,
		headers: []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "same-origin", "Accept",
			"text/html"}},
	{name: "form of the same origin", method: "POST", path: "/x", body: "a=1", headers: submit, status: 401,
		page: "Submit again"},
	{name: "form of the same site", method: "POST", path: "/x", body: "a=1", status: 401, page: "Submit again",
		headers: []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-site", "Accept",
			"text/html"}},
	{name: "form of another site", method: "POST", path: "/x", body: "a=1", status: 401,
		page: "Nothing was sent to the app", not: "Submit again",
		headers: []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site",
			"Accept", "text/html", "Origin", "https://evil.test"}},
	{name: "fetch", method: "GET", path: "/x", headers: fetch, status: 401},
	{name: "fetch that names text/html", method: "GET", path: "/x",
		headers: []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html"}, status: 401},
	{name: "fetch with a body", method: "PUT", path: "/x", body: "{}", headers: fetch, status: 401},
	{name: "XHR of an old browser", method: "GET", path: "/x",
		headers: []string{"Accept", "application/json", "X-Requested-With", "XMLHttpRequest"}, status: 401},
	{name: "server-sent events", method: "GET", path: "/x",
		headers: []string{"Accept", "text/event-stream", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, status: 401},
	{name: "image", method: "GET", path: "/x", headers: []string{"Accept", "image/avif,*/*", "Sec-Fetch-Mode", "no-cors",
		"Sec-Fetch-Dest", "image"}, status: 401},
	{name: "curl", method: "GET", path: "/x", headers: program, status: 401},
	{name: "POST of a program that names text/html", method: "POST", path: "/x", body: "a=1",
		headers: []string{"Accept", "text/html"}, status: 401},
	{name: "DELETE of a program", method: "DELETE", path: "/x", headers: program, status: 401},
}

// CS-12 the table of CONTRACT section 3, each row without and with a session. SE-16 none of the refusals may be stored.
// AP-01 their bodies are problem+json.
func TestRequestsWithoutCredentialAreAnsweredByTheirKind(t *testing.T) {
	s := gateSites.open(t)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword).want(200)
	for _, row := range contractTable {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			s.up.Forget()
			a := s.browser("app.test").do(row.method, row.path, row.body, row.headers).want(row.status)
			if seen := s.up.Seen(); len(seen) > 0 {
				t.Errorf("the upstream received %s %s", seen[0].Method, seen[0].Target)
			}
			if !strings.Contains(a.header.Get("Cache-Control"), "no-store") {
				t.Errorf("Cache-Control %q", a.header.Get("Cache-Control"))
			}
			switch {
			case row.status == 302:
				if to := a.header.Get("Location"); !strings.HasPrefix(to, "/.truxe/login?r=") || strings.Contains(to, "a=1") {
					t.Errorf("Location %q: the way back belongs at the server, under an opaque id", to)
				}
			case row.page == "":
				p := a.problem(401, "login_required")
				if p.LoginURL != "/.truxe/login" || a.header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("login_url %q, WWW-Authenticate %q", p.LoginURL, a.header.Get("WWW-Authenticate"))
				}
			default:
				if !strings.Contains(a.body, row.page) || row.not != "" && strings.Contains(a.body, row.not) {
					t.Errorf("the page: %s", a.body)
				}
				if a.header.Get("WWW-Authenticate") == "" || a.header.Get("Location") != "" {
					t.Errorf("headers %v", a.header)
				}
			}
			pia.do(row.method, row.path, row.body, row.headers).want(200) // the accept control
			if got := s.up.Last(); got.Method != row.method || got.Target != row.path || got.Body != row.body {
				t.Errorf("the upstream received %s %s %q", got.Method, got.Target, got.Body)
			}
		})
	}
}

// CS-07 the way back is kept at the server: after the form the visitor is where they wanted to go, query included.
func TestSignInLeadsToThePageThatWasAskedFor(t *testing.T) {
	s := gateSites.open(t)
	v := s.browser("app.test")
	a := v.get("/report?year=2026&x=%2F", navigate).want(302)
	a = v.tryForm(a.header.Get("Location"), "pia", piaPassword).want(303)
	a = v.get(a.header.Get("Location"), navigate).want(200)
	if got, want := a.header.Get("Refresh"), "0; url=/report?year=2026&x=%2F"; got != want {
		t.Fatalf("Refresh %q, want %q", got, want)
	}
	v.get("/report?year=2026&x=%2F", navigate).want(200)
}

// JW-10, RT-07, CS-12 a token of ours that is bad never falls back to the cookie and never redirects.
func TestBadBearerTokenIsNeverARedirect(t *testing.T) {
	s := gateSites.open(t)
	good := s.login("app.test", "pia", piaPassword)
	revoked := s.login("app.test", "pia", piaPassword)
	s.bare("app.test").do("POST", "/.truxe/api/v1/revoke", values("token", revoked.Access), sendsForm).want(200)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	for name, token := range map[string]string{
		"revoked":         revoked.Access,
		"altered":         good.Access[:len(good.Access)-8] + "AAAAAAAA",
		"cut":             good.Access[:len(good.Access)-20],
		"without a check": good.Access[:strings.LastIndexByte(good.Access, '.')+1],
		"refresh token":   good.Refresh,
		"unknown refresh": "trx_rt_" + strings.Repeat("A", 43),
		"unknown PAT":     "trx_pat_" + strings.Repeat("A", 43),
		"unknown key":     "trx_sk_x",
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.up.Forget()
			bearer := []string{"Authorization", "Bearer " + token}
			for _, kind := range [][]string{program, navigate, fetch} {
				for _, v := range []*visitor{s.bare("app.test"), pia} {
					a := v.get("/x", kind, bearer)
					a.problem(401, "invalid_token")
					if got := a.header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
						t.Errorf("WWW-Authenticate %q", got)
					}
				}
			}
			if n := len(s.up.Seen()); n > 0 {
				t.Errorf("%d requests reached the upstream", n)
			}
		})
	}
	s.t = t
	for _, kind := range [][]string{program, navigate, fetch} {
		s.withBearer("app.test", good.Access).get("/x", kind).want(200)
		s.withBearer("nested.test", good.Access).get("/x", kind).want(200) // on every host of the gateway
	}
}

// AZ-01, AP-01 signed in, but the rule is not met: 403, as a page or as problem+json, with code and reference.
func TestSignedInWithoutTheRoleIsForbidden(t *testing.T) {
	s := gateSites.open(t)
	s.user("stan", "copper kettles in winter", "staff")
	s.user("vera", "eleven paper lanterns", "member")
	pia := s.browser("staff.test")
	pia.signIn("pia", piaPassword)
	page := pia.get("/x", navigate).want(403)
	if !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || !reference.MatchString(page.body) {
		t.Errorf("the page has no reference: %s", page.body)
	}
	pia.get("/x", fetch).problem(403, "role_required")
	pia.do("POST", "/x", "a=1", submit).want(403)
	token := s.login("app.test", "pia", piaPassword).Access
	s.withBearer("staff.test", token).get("/x", program).problem(403, "role_required")
	if seen := s.up.Seen(); len(seen) > 0 {
		t.Fatalf("%d requests reached the upstream", len(seen))
	}
	for name, password := range map[string]string{"stan": "copper kettles in winter", "vera": "eleven paper lanterns",
		"root": adminPassword} {
		v := s.browser("staff.test")
		v.signIn(name, password)
		v.get("/x", navigate).want(200)
		if got := s.up.Last().Get("Remote-User"); len(got) != 1 || got[0] != name {
			t.Errorf("Remote-User %q, want %s", got, name)
		}
	}
	// CONTRACT section 9: the reference of a page finds the event.
	out := s.event(reference.FindString(page.body))
	if !strings.Contains(out, "authz_fail") {
		t.Errorf("the reference of the page finds no event: %s", out)
	}
}

// SE-06, SE-08, JW-10 broken, truncated, over-long and double cookies are anonymous: 302 or 401, never 200 and never
// 500.
func TestBrokenCookieIsNotSignedIn(t *testing.T) {
	s := gateSites.open(t)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	good := pia.session()
	other := s.browser("app.test")
	other.signIn("pia", piaPassword)
	access := s.login("app.test", "pia", piaPassword).Access
	v := s.bare("app.test")
	for name, cookie := range map[string]string{
		"empty":             "__Host-truxe=",
		"short":             "__Host-truxe=x",
		"truncated":         "__Host-truxe=" + good[:len(good)-4],
		"longer":            "__Host-truxe=" + good + "A",
		"quoted":            `__Host-truxe="` + good + `"`,
		"other case":        "__host-truxe=" + good,
		"swapped case":      "__Host-truxe=" + swapCase(good),
		"over-long":         "__Host-truxe=" + strings.Repeat("A", 6000),
		"not base64":        "__Host-truxe=" + strings.Repeat("%", 43),
		"bytes over 0x7f":   "__Host-truxe=" + strings.Repeat("\xff", 43),
		"same value twice":  "__Host-truxe=" + good + "; __Host-truxe=" + good,
		"good, then broken": "__Host-truxe=" + good + "; __Host-truxe=x",
		"broken, then good": "__Host-truxe=x; __Host-truxe=" + good,
		"two sessions":      "__Host-truxe=" + good + "; __Host-truxe=" + other.session(),
		"access token":      "__Host-truxe=" + access,
		"flow cookie":       "__Host-truxe=" + pia.inJar("__Host-truxe-flow"),
		"chunk of ours":     "__Host-truxe.0=" + good,
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.up.Forget()
			line := []string{"Cookie", cookie}
			v.get("/x", navigate, line).want(302)
			a := v.get("/x", program, line)
			a.problem(401, "login_required")
			v.api("GET", "userinfo", nil, line).problem(401, "login_required")
			if n := len(s.up.Seen()); n > 0 {
				t.Fatalf("%d requests reached the upstream", n)
			}
			if strings.Count(cookie, "__Host-truxe=") == 2 {
				if line := a.setsCookie("__Host-truxe"); !strings.Contains(line, "Max-Age=0") {
					t.Errorf("two cookies are not cleared: %q", line)
				}
			}
			v.get("/public/x", line).want(200)
			if got := s.up.Last(); len(got.Get("Remote-User"))+len(got.Get("Cookie")) > 0 {
				t.Errorf("the upstream received %v", got.Header)
			}
		})
	}
	s.t = t
	v.get("/x", program, []string{"Cookie", "__Host-truxe=" + good}).want(200)
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 32
		} else if r >= 'A' && r <= 'Z' {
			return r + 32
		}
		return r
	}, s)
}

// SE-09, SE-07 our cookies never reach the app, on no path; the app's own cookies keep their bytes.
func TestOwnCookiesNeverReachTheApp(t *testing.T) {
	s := gateSites.open(t)
	for _, at := range []struct{ host, path string }{{"app.test", "/x"}, {"app.test", "/public/x"},
		{"matcher.test", "/open"}, {"matcher.test", "/admin/x"}, {"two.test", "/neither"}, {"two.test", "/b/public"}} {
		pia := s.browser(at.host)
		pia.signIn("pia", piaPassword)
		mine := "__Host-truxe=" + pia.session() + "; __Host-truxe-flow=" + pia.inJar("__Host-truxe-flow") +
			"; __Host-truxe-device=" + pia.inJar("__Host-truxe-device")
		for name, c := range map[string]struct{ sent, want string }{
			"none of the app's": {mine, ""},
			"before":            {"theme=dark; " + mine, "theme=dark"},
			"after":             {mine + "; theme=dark", "theme=dark"},
			"around": {`a="b c"; ` + mine + `; __Host-truxe.1=x; q=%7B%22a%22:1%7D; a=2`,
				`a="b c"; q=%7B%22a%22:1%7D; a=2`},
			"only the app's": {`weird;; =x;a ;b=__Host-trux; __Secure-truxe=1`,
				`weird;; =x;a ;b=__Host-trux; __Secure-truxe=1`},
		} {
			if name == "only the app's" && at.path != "/open" && at.path != "/public/x" {
				continue // they would not pass the gate
			}
			a := s.bare(at.host).get(at.path, program, []string{"Cookie", c.sent}).want(200)
			if got := strings.Join(s.up.Last().Get("Cookie"), " / "); strings.TrimRight(got, "; ") != c.want {
				t.Errorf("%s%s, %s: the upstream received Cookie %q, want %q", at.host, at.path, name, got, c.want)
			}
			if strings.Contains(a.body, pia.session()) {
				t.Errorf("%s%s, %s: the secret is in the upstream's request", at.host, at.path, name)
			}
		}
	}
}

// HD-12 our bearer token is removed, as a Basic password too; any other Authorization is the app's own.
func TestForeignAuthorizationIsTheAppsOwn(t *testing.T) {
	s := gateSites.open(t)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	ours := s.login("app.test", "pia", piaPassword).Access
	foreignJWT := "eyJhbGciOiJSUzI1NiJ9." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://elsewhere.test","sub":"x"}`)) + ".c2ln"
	for _, own := range []string{"Bearer app-own-token", "Bearer " + foreignJWT, "Basic dXNlcjpwYXNz", "Basic !!!",
		"Digest username=\"pia\"", "Bearer", "Token abc"} {
		header := []string{"Authorization", own}
		for _, at := range []string{"/x", "/public/x"} {
			pia.get(at, program, header).want(200)
			if got := s.up.Last().Get("Authorization"); len(got) != 1 || got[0] != own {
				t.Errorf("%s: the upstream received Authorization %q, want %q", at, got, own)
			}
		}
		s.bare("app.test").get("/x", program, header).problem(401, "login_required")
	}
	for _, mine := range []string{"Bearer " + ours, "bearer " + ours,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("pia:"+ours))} {
		header := []string{"Authorization", mine}
		for _, at := range []string{"/x", "/public/x"} {
			s.bare("app.test").get(at, program, header).want(200)
			got := s.up.Last()
			if strings.Contains(got.Raw, ours) || len(got.Get("Authorization")) > 0 {
				t.Errorf("%s: our token reached the upstream as %.20s…", at, mine)
			}
			if user := got.Get("Remote-User"); len(user) != 1 || user[0] != "pia" {
				t.Errorf("%s with %.12s…: Remote-User %q", at, mine, user)
			}
		}
	}
	a := s.bare("app.test").get("/x", program, []string{"Authorization", "Bearer " + ours, "Authorization",
		"Basic dXNlcjpwYXNz"})
	if a.status == http.StatusOK {
		t.Error("two Authorization lines signed in")
	}
}
