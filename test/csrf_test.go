package test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/portal"
)

var csrfSite = share(plot{
	options: "\t\tcors https://spa.test",
	sites:   site("csrf.test", "\ttruxe {\n\t\tpublic /open\n\t}\n\treverse_proxy UPSTREAM"),
})

// stateChanging is every URL that changes something, with a body that works.
var stateChanging = []struct{ method, path, body, kind string }{
	{"POST", "/.truxe/login", "username=pia&password=x", "form"}, {"POST", "/.truxe/logout", "", "form"},
	{"POST", "/.truxe/setup", "token=x", "form"},
	{"POST", "/.truxe/confirm", "password=x", "form"}, {"POST", "/.truxe/account/password",
		"current_password=x&new_password=y", "form"},
	{"POST", "/.truxe/account/sessions", "revoke=others", "form"},
	{"POST", "/.truxe/api/v1/login", `{"username":"pia","password":"x"}`, "json"},
	{"POST", "/.truxe/api/v1/logout", "", "json"}, {"POST", "/.truxe/api/v1/token",
		"grant_type=refresh_token&refresh_token=x", "form"},
	{"POST", "/.truxe/api/v1/revoke", "token=x", "form"}, {"POST", "/.truxe/api/v1/introspect", "token=x", "form"},
	{"DELETE", "/.truxe/api/v1/sessions", "", ""},
	{"DELETE", "/.truxe/api/v1/sessions/aaaaaaaaaaaaaaaaaaaaaaaaaa", "", ""},
	{"POST", "/.truxe/api/v1/password/change", `{"current_password":"x","new_password":"y"}`, "json"},
}

func typeOf(kind string) []string {
	switch kind {
	case "form":
		return sendsForm
	case "json":
		return sendsJSON
	}
	return nil
}

// CS-01 CS-02 F35 CVE-2025-24358 CVE-2025-47909: what another site's page makes a browser send changes nothing.
func TestCrossOriginRequestsChangeNothing(t *testing.T) {
	s := csrfSite.open(t)
	pia := s.browser("csrf.test")
	pia.signIn("pia", piaPassword)
	foreign := [][]string{
		{"Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.test"},
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Origin", "null"}, {"Origin", "https://csrf.test.evil.test"}, {"Origin", "http://csrf.test:1"},
		{"Origin", "http://csrf.test"}, {"Origin", "http://csrf.test:443"}, // ED-05: http is another origin than https
	}
	changing := stateChanging
	for _, r := range portal.Routes() { // whatever is registered, not only what was thought of here
		for _, method := range r.Methods {
			if body, _ := bodyFor(method, r.Path); method != http.MethodGet {
				changing = append(changing, struct{ method, path, body, kind string }{method, "/.truxe/" + anyOf(r.Path), body,
					"json"})
			}
		}
	}
	for _, c := range changing {
		for _, headers := range foreign {
			if a := pia.do(c.method, c.path, c.body, typeOf(c.kind), headers); a.status != http.StatusForbidden ||
				!strings.Contains(a.body, "R-") {
				t.Errorf("%s %s with %v: %d", c.method, c.path, headers, a.status)
			}
		}
	}
	pia.get("/", navigate).want(http.StatusOK) // still signed in
	pia.form("logout").want(http.StatusSeeOther)
	pia.get("/", navigate).want(http.StatusFound)
}

// CS-01: the table of Go's CrossOriginProtection holds for every URL that changes something.
func TestGoCrossOriginProtectionTable(t *testing.T) {
	raw, ok := corpus(t, "csrf/go_cross_origin_protection.json")
	if !ok {
		raw = []byte(`[{"method":"POST","sec_fetch_site":"cross-site","status":403},{"method":"POST","origin":"https://attacker.example","status":403}]`)
	}
	var cases []struct {
		Method string `json:"method"`
		Site   string `json:"sec_fetch_site"`
		Origin string `json:"origin"`
		Status int    `json:"status"`
	}
	if err := json.Unmarshal(raw, &cases); err != nil || len(cases) == 0 {
		t.Fatal("the table cannot be read", err)
	}
	s := csrfSite.open(t)
	v := s.bare("csrf.test")
	own := "https://csrf.test:" + strconv.Itoa(s.g.Port("https"))
	refused := 0
	for _, c := range cases {
		if c.Status != http.StatusForbidden || c.Method == "GET" || c.Method == "HEAD" || c.Method == "OPTIONS" {
			continue // TestCrossOriginRequestsChangeNothing has the controls, TestReadingChangesNothing the safe methods
		}
		refused++
		var headers []string
		if c.Site != "" {
			headers = append(headers, "Sec-Fetch-Site", c.Site)
		}
		if c.Origin != "" {
			headers = append(headers, "Origin", strings.ReplaceAll(c.Origin, "https://example.com", own))
		}
		for _, u := range stateChanging {
			if a := v.do(u.method, u.path, u.body, typeOf(u.kind), headers); a.status != http.StatusForbidden {
				t.Errorf("%v: %s %s: %d", c, u.method, u.path, a.status)
			}
		}
	}
	if refused == 0 {
		t.Error("the table has no refused row")
	}
}

// CS-03: reading changes nothing, and no header or parameter turns a read into a change.
func TestReadingChangesNothingAndMethodsCannotBeOverridden(t *testing.T) {
	s := csrfSite.open(t)
	pia := s.browser("csrf.test")
	pia.signIn("pia", piaPassword)
	for _, path := range []string{"/.truxe/logout", "/.truxe/logout?_method=POST",
		"/.truxe/account/sessions?revoke=others", "/.truxe/api/v1/logout", "/.truxe/api/v1/sessions?_method=DELETE"} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			pia.do(method, path, "", []string{"X-HTTP-Method-Override", "POST", "X-Method-Override", "DELETE"})
		}
	}
	pia.get("/", navigate).want(http.StatusOK)
}

// CS-02: a login form without the flow cookie is refused, even with the right password.
func TestLoginFormWithoutItsFlowCookieIsRefused(t *testing.T) {
	s := csrfSite.open(t)
	v := s.bare("csrf.test")
	a := v.do("POST", "/.truxe/login", values("username", "pia", "password", piaPassword), submit)
	if a.status != http.StatusBadRequest || strings.Contains(strings.Join(a.header["Set-Cookie"], ";"), "__Host-truxe=") {
		t.Errorf("%d %v", a.status, a.header["Set-Cookie"])
	}
	s.browser("csrf.test").signIn("pia", piaPassword) // control
}

// CS-05 CVE-2024-41657: only listed origins may read answers, exactly; no reflection, no null, no *.
func TestOnlyListedOriginsMayRead(t *testing.T) {
	s := csrfSite.open(t)
	v := s.bare("csrf.test")
	for _, path := range []string{"/.truxe/api/v1/session", "/x"} {
		a := v.get(path, fetch, []string{"Origin", "https://spa.test"})
		if a.header.Get("Access-Control-Allow-Origin") != "https://spa.test" ||
			a.header.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: a listed origin cannot read: %v", path, a.header)
		}
		for _, origin := range []string{"https://evil.test", "null", "https://spa.test.evil.test", "http://spa.test",
			"https://SPA.test.", "*", "https://spa.test:444"} {
			if got := v.get(path, fetch, []string{"Origin", origin}).header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("%s: %s may read: %q", path, origin, got)
			}
		}
	}
}

// CS-08 CVE-2024-21498 F14: no header of a client chooses a host in an answer.
func TestPoisonedHostsAppearInNoAnswer(t *testing.T) {
	s := csrfSite.open(t)
	v := s.bare("csrf.test")
	poison := []string{"X-Forwarded-Host", "evil.test", "X-Forwarded-Proto", "http", "Forwarded", "host=evil.test",
		"X-Host", "evil.test", "X-Original-URL", "https://evil.test/", "Referer", "https://evil.test/"}
	for _, headers := range [][]string{navigate, fetch, program} {
		a := v.get("/x?rd=https://evil.test&next=//evil.test", headers, poison)
		if strings.Contains(strings.ReplaceAll(a.body+strings.Join(a.header["Location"], ""),
			"rd=https://evil.test&next=//evil.test", ""), "evil.test") {
			t.Errorf("%v: %s %v", headers, a.body, a.header["Location"])
		}
	}
	a := v.api("POST", "login", map[string]string{"username": "pia", "password": piaPassword}, poison).want(http.StatusOK)
	var out tokens
	a.json(&out)
	if iss := claimsOf(t, out.Access)["iss"]; iss != "https://csrf.test:"+strconv.Itoa(s.g.Port("https")) {
		t.Errorf("iss is %v", iss)
	}
}

// CS-13: pages and answers for signed-in users are not for other sites' pages.
func TestOtherSitesCannotEmbedThePortal(t *testing.T) {
	s := csrfSite.open(t)
	pia := s.browser("csrf.test")
	pia.signIn("pia", piaPassword)
	pia.get("/.truxe/account", navigate).want(http.StatusOK)
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "object"},
	} {
		pia.get("/.truxe/account", headers).want(http.StatusForbidden)
	}
	pia.get("/.truxe/api/v1/userinfo", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors",
		"Sec-Fetch-Dest", "script"}).want(http.StatusForbidden)
	pia.get("/.truxe/api/v1/userinfo", fetch).want(http.StatusOK)
}
