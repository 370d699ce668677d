package test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

var apiSite = share(plot{sites: site("api.test", "\ttruxe\n\treverse_proxy UPSTREAM")})

// AP-03 AP-01 AP-02: broken, ambiguous or oversized bodies are 4xx problems with a code, never 2xx or 5xx.
func TestMalformedBodiesAreRefusedWithAProblem(t *testing.T) {
	s := apiSite.open(t)
	v := s.bare("api.test")
	good := `{"username":"pia","password":"` + piaPassword + `"}`
	v.do("POST", "/.truxe/api/v1/login", good, sendsJSON).want(http.StatusOK) // control
	for name, c := range map[string]struct {
		body string
		kind []string
	}{
		"empty": {"", sendsJSON}, "not JSON": {"{", sendsJSON}, "array": {"[]", sendsJSON}, "null": {"null", sendsJSON},
		"number":         {`{"username":1,"password":2}`, sendsJSON},
		"duplicate key":  {`{"username":"pia","username":"root","password":"x"}`, sendsJSON},
		"other case":     {`{"Username":"pia","password":"x"}`, sendsJSON},
		"unknown member": {`{"username":"pia","password":"x","admin":true}`, sendsJSON},
		"trailing data":  {good + "x", sendsJSON}, "two values": {good + good, sendsJSON},
		"depth 65":        {strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), sendsJSON},
		"invalid UTF-8":   {"{\"username\":\"\xff\",\"password\":\"x\"}", sendsJSON},
		"byte order mark": {"\xef\xbb\xbf" + good, sendsJSON}, "form": {"username=pia&password=x", sendsForm},
		"no type": {good, nil}, "text": {good, []string{"Content-Type", "text/plain"}},
		"over 1 MiB": {`{"username":"` + strings.Repeat("a", 1<<20) + `"}`, sendsJSON},
	} {
		a := v.do("POST", "/.truxe/api/v1/login", c.body, c.kind)
		if a.status < 400 || a.status >= 500 || a.header.Get("Content-Type") != "application/problem+json" ||
			!strings.Contains(a.body, `"code":"invalid_request"`) || !strings.Contains(a.body, `"reference":"R-`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		for _, internal := range []string{"sql", "panic", "goroutine", ".go:", "jsontext", "/home"} {
			if strings.Contains(strings.ToLower(a.body), internal) {
				t.Errorf("%s: the answer shows %q: %s", name, internal, a.body)
			}
		}
	}
	for _, call := range []string{"token", "revoke"} {
		for name, body := range map[string]string{"empty": "",
			"twice": "grant_type=refresh_token&grant_type=x&token=a&token=b", "broken": "%zz", "json": "{}"} {
			kind := sendsForm
			if name == "json" {
				kind = sendsJSON
			}
			if a := v.do("POST", "/.truxe/api/v1/"+call, body, kind); a.status != http.StatusBadRequest {
				t.Errorf("%s %s: %d %s", call, name, a.status, a.body)
			}
		}
	}
}

// AP-04: on pages and API, methods that are not used are 405 with Allow.
func TestUnusedMethodsAreNotAllowed(t *testing.T) {
	s := apiSite.open(t)
	v := s.bare("api.test")
	for path, allow := range map[string]string{"/.truxe/login": "GET, HEAD, POST", "/.truxe/api/v1/login": "POST",
		"/.truxe/api/v1/userinfo": "GET, HEAD", "/.truxe/jwks.json": "GET, HEAD"} {
		for _, method := range []string{"PUT", "PATCH", "TRACE", "TRACK", "PROPFIND", "DELETE"} {
			if a := v.do(method, path, ""); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != allow {
				t.Errorf("%s %s: %d, Allow %q", method, path, a.status, a.header.Get("Allow"))
			}
		}
	}
	v.get("/.truxe/jwks.json").want(http.StatusOK)
	for _, path := range []string{"/.truxe/nothing", "/.truxe/api/v1/nothing", "/.truxe//login", "/.truxe/login/",
		"/.truxe/%6cogin/x", "/.truxe/assets/../login"} {
		if a := v.get(path, program); a.status != http.StatusNotFound && a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// OP-03: live and ready differ in what they say, and neither shows an address, a version or a path.
func TestHealthTellsNothingSecret(t *testing.T) {
	s := apiSite.open(t)
	v := s.bare("api.test")
	for _, path := range []string{"/.truxe/health/live", "/.truxe/health/ready"} {
		a := v.get(path).want(http.StatusOK)
		for _, secret := range []string{"/", "127.0.0.1", "sqlite", "postgres", "redis"} {
			if strings.Contains(a.body, secret) {
				t.Errorf("%s shows %q: %s", path, secret, a.body)
			}
		}
	}
	if live, ready := v.get("/.truxe/health/live"), v.get("/.truxe/health/ready"); live.body == ready.body {
		t.Error("live and ready say the same")
	}
}

// PW-10 SE-02: a change asks for the old password, ends the other sessions, and gives this one a new secret.
func TestPasswordChangeEndsOtherSessionsAndRenewsThisOne(t *testing.T) {
	s := apiSite.open(t)
	const before, after = "lanterns over the quiet bay", "seventeen goats on a steep hill"
	s.user("petra", before, "member")
	one, two := s.browser("api.test"), s.browser("api.test")
	one.signIn("petra", before)
	two.signIn("petra", before)
	token := s.login("api.test", "petra", before)
	old := s.bare("api.test")
	old.cookie = "__Host-truxe=" + one.session()
	old.get("/", navigate).want(http.StatusOK)
	time.Sleep(1100 * time.Millisecond)

	one.form("account/password", "username", "petra", "current_password", "a wrong password", "new_password", after,
		"sign_out_others", "on").want(http.StatusUnprocessableEntity)
	two.get("/", navigate).want(http.StatusOK) // a failed change ends nothing
	one.form("account/password", "username", "petra", "current_password", before, "new_password", after, "sign_out_others",
		"on").want(http.StatusSeeOther)
	one.get("/", navigate).want(http.StatusOK)
	two.get("/", navigate).want(http.StatusFound)
	old.get("/", navigate).want(http.StatusFound) // the secret before the change
	s.withBearer("api.test", token.Access).get("/", program).want(http.StatusUnauthorized)
	s.bare("api.test").do("POST", "/.truxe/api/v1/token", values("grant_type", "refresh_token", "refresh_token",
		token.Refresh), sendsForm).want(http.StatusBadRequest)
	s.bare("api.test").api("POST", "login", map[string]string{"username": "petra",
		"password": before}).want(http.StatusUnauthorized)
	s.login("api.test", "petra", after)
}
