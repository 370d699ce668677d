package test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
)

// MF-20 MF-13 MF-17: a passkey is made, named, used as the only and as the second step, confirmed with, renamed and
// removed.
func TestPasskeyFromMakingToRemoval(t *testing.T) {
	s := mfaSite.open(t)
	s.user("helga", "copper kettles in the rain", "member")
	v := s.browser("app.test")
	v.signIn("helga", "copper kettles in the rain")
	key := credentialtest.New(t)
	origin := s.origin("app.test")
	options := v.api("POST", "mfa/passkeys/begin", map[string]string{}, v.sameOrigin()).want(http.StatusOK).body
	made := string(key.Create(t, []byte(options), origin))
	var kept struct {
		ID, Name string
		Codes    []string `json:"recovery_codes"`
	}
	v.do("POST", "/.truxe/api/v1/mfa/passkeys/finish?name=Blue+key", made, sendsJSON,
		v.sameOrigin()).want(http.StatusOK).json(&kept)
	if kept.ID == "" || kept.Name != "Blue key" || len(kept.Codes) != 10 {
		t.Fatalf("a new passkey: %+v", kept)
	}
	// MF-14: one use
	if a := v.do("POST", "/.truxe/api/v1/mfa/passkeys/finish", made, sendsJSON, v.sameOrigin()); a.status < 400 ||
		a.status >= 500 {
		t.Errorf("the same answer again: %d", a.status)
	}
	if page := v.get("/.truxe/account/passkeys?added="+kept.ID,
		navigate).want(http.StatusOK); !strings.Contains(page.text(), "Your passkey is ready.") ||
		!strings.Contains(page.text(), "Blue key") {
		t.Error("the page does not show the new passkey")
	}

	var known map[string]string
	v.get("/.well-known/passkey-endpoints", program).want(http.StatusOK).json(&known)
	if want := origin + "/.truxe/account/passkeys"; known["enroll"] != want || known["manage"] != want {
		t.Errorf("passkey-endpoints: %v", known)
	}

	// The only step, in a browser.
	fresh := s.browser("app.test")
	fresh.get("/.truxe/login", navigate).want(http.StatusOK)
	options = fresh.api("POST", "login/passkey/begin", map[string]string{}, fresh.sameOrigin()).want(http.StatusOK).body
	answer := string(key.Get(t, []byte(options), origin))
	fresh.form("login", "passkey", answer).want(http.StatusSeeOther)
	fresh.get("/", navigate).want(http.StatusOK)
	if amr := strings.Join(s.up.Last().Get("X-Truxe-Amr"), ","); !strings.Contains(amr, "hwk") ||
		!strings.Contains(amr, "user") {
		t.Errorf("X-Truxe-Amr %q", amr)
	}
	elsewhere := s.browser("app.test") // a used answer, in another browser
	elsewhere.get("/.truxe/login", navigate)
	if a := elsewhere.form("login", "passkey", answer).want(http.StatusUnauthorized); !strings.Contains(a.text(),
		"That passkey didn't work.") {
		t.Errorf("a used answer: %.400s", a.text())
	}

	// The second step.
	second := s.browser("app.test")
	a := second.tryForm("/.truxe/login", "helga", "copper kettles in the rain").want(http.StatusSeeOther)
	if !strings.HasPrefix(a.header.Get("Location"), "/.truxe/mfa") {
		t.Fatalf("after the password: %s", a.header.Get("Location"))
	}
	options = second.do("POST", "/.truxe/api/v1/login/passkey/begin?step=second", "{}", sendsJSON,
		second.sameOrigin()).want(http.StatusOK).body
	second.second("method", "passkey", "passkey", string(key.Get(t, []byte(options), origin))).want(http.StatusSeeOther)
	second.get("/", navigate).want(http.StatusOK)

	// The second step of a program, and a sign-in of its own.
	var h half
	s.bare("app.test").api("POST", "login", map[string]string{"username": "helga",
		"password": "copper kettles in the rain"}).want(http.StatusOK).json(&h)
	options = s.bare("app.test").api("POST", "login/passkey/begin",
		map[string]string{"mfa_token": h.Token}).want(http.StatusOK).body
	body := `{"mfa_token":"` + h.Token + `","method":"passkey","passkey":` + string(key.Get(t, []byte(options), origin)) +
		`}`
	var out tokens
	s.bare("app.test").do("POST", "/.truxe/api/v1/login/mfa", body, sendsJSON).want(http.StatusOK).json(&out)
	if c := claimsOf(t, out.Access); c["acr"] != "3" && c["acr"] != "2" {
		t.Errorf("acr %v", c["acr"])
	}
	client := s.browser("app.test")
	options = client.api("POST", "login/passkey/begin", map[string]string{}).want(http.StatusOK).body
	client.do("POST", "/.truxe/api/v1/login/passkey/finish", string(key.Get(t, []byte(options), origin)),
		sendsJSON).want(http.StatusOK).json(&out)
	if c := claimsOf(t, out.Access); c["acr"] != "3" {
		t.Errorf("acr of a passkey alone: %v", c["acr"])
	}

	// Confirming, renaming, removing.
	s.stale("helga")
	second.form("account/passkeys", "action", "rename", "id", kept.ID, "name", "Green key").want(http.StatusSeeOther)
	second.get("/.truxe/confirm?for=change_passkey", navigate).want(http.StatusOK)
	options = second.do("POST", "/.truxe/api/v1/confirm/passkey/begin", "{}", sendsJSON,
		second.sameOrigin()).want(http.StatusOK).body
	second.form("confirm", "method", "passkey", "return", "change_passkey", "passkey",
		string(key.Get(t, []byte(options), origin))).want(http.StatusSeeOther)
	second.form("account/passkeys", "action", "rename", "id", kept.ID, "name", "Green key").want(http.StatusSeeOther)
	if page := second.get("/.truxe/account/passkeys", navigate); !strings.Contains(page.body, "Green key") {
		t.Error("the new name is not shown")
	}
	second.form("account/passkeys", "action", "rename", "id", kept.ID, "name",
		strings.Repeat("x", 500)).want(http.StatusUnprocessableEntity)
	second.form("account/passkeys", "action", "remove", "id", kept.ID).want(http.StatusSeeOther)
	if page := second.get("/.truxe/account/passkeys?removed=1", navigate); strings.Contains(page.body, "Green key") {
		t.Error("a removed passkey is shown")
	}
	options = elsewhere.api("POST", "login/passkey/begin", map[string]string{},
		elsewhere.sameOrigin()).want(http.StatusOK).body
	gone := elsewhere.form("login", "passkey", string(key.Get(t, []byte(options), origin))).want(http.StatusUnauthorized)
	if !strings.Contains(gone.body, "data-signal") {
		t.Error("the browser is not told that the passkey is gone")
	}
}

// MF-15 MF-19 AP-03: a broken or lying answer of a browser is a clear 4xx with a code, wherever one is taken.
func TestBrokenPasskeyAnswersAreRefusedClearly(t *testing.T) {
	s := mfaSite.open(t)
	s.user("ines", "copper kettles in the rain", "member")
	v := s.browser("app.test")
	v.signIn("ines", "copper kettles in the rain")
	origin := s.origin("app.test")
	refusals := map[string]func(k *credentialtest.Authenticator, raw string) string{
		"wrong origin":   func(*credentialtest.Authenticator, string) string { return "" },
		"empty":          func(_ *credentialtest.Authenticator, _ string) string { return "" },
		"not JSON":       func(_ *credentialtest.Authenticator, _ string) string { return "{" },
		"list":           func(_ *credentialtest.Authenticator, _ string) string { return "[]" },
		"no members":     func(_ *credentialtest.Authenticator, _ string) string { return "{}" },
		"twice a member": func(_ *credentialtest.Authenticator, raw string) string { return `{"id":"x",` + raw[1:] },
		"trailing":       func(_ *credentialtest.Authenticator, raw string) string { return raw + "x" },
		"truncated CBOR": func(_ *credentialtest.Authenticator, raw string) string {
			return cutMember(t, raw, "attestationObject")
		},
		"truncated JSON": func(_ *credentialtest.Authenticator, raw string) string { return raw[:len(raw)/2] },
		"wrong base64": func(_ *credentialtest.Authenticator, raw string) string {
			return strings.Replace(raw, `"clientDataJSON":"`, `"clientDataJSON":"!`, 1)
		},
		"over 64 KiB": func(_ *credentialtest.Authenticator, raw string) string {
			return `{"x":"` + strings.Repeat("a", 70<<10) + `",` + raw[1:]
		},
		"wrong type": func(_ *credentialtest.Authenticator, raw string) string {
			return strings.Replace(raw, `"public-key"`, `"password"`, 1)
		},
		"numbers for text": func(_ *credentialtest.Authenticator,
			_ string) string {
			return `{"id":1,"type":2,"response":3}`
		},
	}
	for name, spoil := range refusals {
		key := credentialtest.New(t)
		if name == "wrong origin" {
			key.Lie.Origin = "https://evil.test"
		}
		options := v.api("POST", "mfa/passkeys/begin", map[string]string{}, v.sameOrigin()).want(http.StatusOK).body
		made := string(key.Create(t, []byte(options), origin))
		sent := made
		if name != "wrong origin" {
			sent = spoil(key, made)
		}
		for _, call := range []string{"mfa/passkeys/finish", "login/passkey/finish"} {
			a := v.do("POST", "/.truxe/api/v1/"+call, sent, sendsJSON, v.sameOrigin())
			var p problem
			if a.status >= 400 && a.header.Get("Content-Type") == "application/problem+json" {
				a.json(&p)
			}
			if a.status < 400 || a.status >= 500 || p.Code == "" || p.Code == "internal_error" || p.Detail == "" {
				t.Errorf("%s at %s: %d %.200s", name, call, a.status, a.body)
			}
			for _, internal := range []string{"cbor", "protocol", "panic", "unmarshal", ".go"} {
				if strings.Contains(strings.ToLower(p.Detail), internal) {
					t.Errorf("%s at %s shows %q: %s", name, call, internal, p.Detail)
				}
			}
		}
	}
	page := s.browser("app.test")
	page.get("/.truxe/login", navigate)
	for _, sent := range []string{"{", "[]", "x", strings.Repeat("a", 70<<10)} {
		if a := page.form("login", "passkey", sent); a.status < 400 || a.status >= 500 ||
			!strings.Contains(a.text(), "That passkey didn't work.") {
			t.Errorf("%.10q at the page: %d", sent, a.status)
		}
	}
	// MF-18: begin answers alike for all users; only the challenge differs.
	a := page.api("POST", "login/passkey/begin", map[string]string{}, page.sameOrigin()).want(http.StatusOK)
	b := v.api("POST", "login/passkey/begin", map[string]string{}, v.sameOrigin()).want(http.StatusOK)
	challenge := regexp.MustCompile(`"challenge":"[^"]+"`)
	if challenge.ReplaceAllString(a.body, "") != challenge.ReplaceAllString(b.body, "") || a.body == b.body {
		t.Errorf("begin distinguishes users: %s %s", a.body, b.body)
	}
	page.api("POST", "login/passkey/begin", map[string]string{"username": "ines"},
		page.sameOrigin()).problem(http.StatusBadRequest, "invalid_request")
}

// cutMember drops the last bytes of a base64url member.
func cutMember(t *testing.T, raw, member string) string {
	t.Helper()
	m := regexp.MustCompile(`"` + member + `":"([^"]+)"`).FindStringSubmatch(raw)
	if m == nil {
		t.Fatalf("no %s in %s", member, raw)
	}
	return strings.Replace(raw, m[1], m[1][:len(m[1])-40], 1)
}
