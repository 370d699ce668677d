package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
)

var enrolSite = share(plot{
	options: "\t\trate_limit login 1000 5m\n\t\trate_limit address 10000 5m\n\t\tmfa required for role staff",
	sites:   site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
})

// R6 MF-07: who must have a second factor and has none sets one up within the sign-in, without JavaScript: until its
// first right code no user is signed in, then recovery codes are shown and the way goes on.
func TestRequiredFactorIsSetUpWithinTheSignIn(t *testing.T) {
	s := enrolSite.open(t)
	f := &factor{s: s, host: "app.test", name: "sven", password: "copper kettles in the rain"}
	s.user(f.name, f.password, "staff")
	s.login("app.test", "pia", piaPassword) // other users are not asked

	v := s.browser("app.test")
	login := v.get("/deep?x=1", navigate).want(http.StatusFound).header.Get("Location")
	a := v.tryForm(login, f.name, f.password).want(http.StatusSeeOther)
	choose := v.get(a.header.Get("Location"), navigate).want(http.StatusOK)
	if !strings.Contains(choose.body, "mfa?enrol=totp&amp;r=") ||
		!strings.Contains(choose.body, "mfa?enrol=passkey&amp;r=") || v.session() != "" {
		t.Fatalf("the choice of a factor: %.1500s", choose.body)
	}
	v.get("/", navigate).want(http.StatusFound)
	v.get("/.truxe/account/totp", navigate).want(http.StatusFound)
	_, id, _ := strings.Cut(a.header.Get("Location"), "?r=")
	page := v.get("/.truxe/mfa?enrol=totp&r="+id, navigate).want(http.StatusOK)
	if again := v.get("/.truxe/mfa?enrol=totp&r="+id,
		navigate); keyOnPage.FindString(again.body) != keyOnPage.FindString(page.body) {
		t.Error("a reload shows another key")
	}
	f.key = unspaced(keyOnPage.FindStringSubmatch(page.body)[1])
	// Another browser that knows the password gets a key of its own, and that key is not valid in this sign-in.
	thief := s.browser("app.test")
	thief.tryForm("/.truxe/login", f.name, f.password).want(http.StatusSeeOther)
	if other := thief.get("/.truxe/mfa?enrol=totp", navigate).want(http.StatusOK); strings.Contains(unspaced(other.body),
		f.key) {
		t.Fatal("another sign-in sees the key that is being set up")
	}
	page = v.get("/.truxe/mfa?enrol=totp&r="+id, navigate).want(http.StatusOK)
	f.key = unspaced(keyOnPage.FindStringSubmatch(page.body)[1])
	if a := v.form("mfa", "action", "enrol", "method", "totp", "code", "000000", "return",
		id); a.status != http.StatusUnauthorized || !strings.Contains(a.text(), "There is a problem") ||
		keyOnPage.FindString(a.body) != keyOnPage.FindString(page.body) {
		t.Errorf("a wrong code: %d", a.status)
	}
	if v.session() != "" {
		t.Fatal("a wrong code signed in")
	}
	done := v.form("mfa", "action", "enrol", "method", "totp", "code", f.code(), "return", id).want(http.StatusSeeOther)
	codes := v.get(done.header.Get("Location"), navigate).want(http.StatusOK)
	if len(codesOnPage.FindAllString(codes.body, -1)) != 10 {
		t.Fatalf("after the right code: %s, %.600s", done.header.Get("Location"), codes.body)
	}
	// Back leads on, never round
	if page := v.get("/.truxe/mfa?r="+id, navigate); page.header.Get("Location") != done.header.Get("Location") {
		t.Errorf("the second step again leads to %q", page.header.Get("Location"))
	}
	saved := v.form("account/recovery-codes", "action", "finish", "saved", "on", "return", id).want(http.StatusSeeOther)
	if last := v.get(saved.header.Get("Location"),
		navigate).want(http.StatusOK); !strings.Contains(last.header.Get("Refresh"), "/deep?x=1") {
		t.Errorf("the way ends at %q", last.header.Get("Refresh"))
	}
	v.get("/", navigate).want(http.StatusOK)
	f.pending() // from now on the code is asked for

	// It cannot be removed while the rule stands.
	v.form("account/totp", "action", "remove").want(http.StatusSeeOther)
	if page := v.get("/.truxe/account/totp?remove=1", navigate).want(http.StatusOK); !strings.Contains(page.text(),
		"needs a second factor") || strings.Contains(page.body, `value="remove"`) {
		t.Errorf("the page offers to remove the last factor: %.800s", page.text())
	}
	v.api("DELETE", "mfa/totp", nil, v.sameOrigin()).problem(http.StatusConflict, "conflict")
}

// R6: a program can set up the factor that is required, or send its person to a browser.
func TestProgramSetsUpARequiredFactor(t *testing.T) {
	s := enrolSite.open(t)
	f := &factor{s: s, host: "app.test", name: "tove", password: "copper kettles in the rain"}
	s.user(f.name, f.password, "staff")
	h := f.begin()
	if len(h.Methods) != 0 || !same(h.Enrol, "totp", "passkey") || h.EnrolURL != s.origin("app.test")+"/.truxe/login" {
		t.Fatalf("login: %+v", h)
	}
	v := s.bare("app.test")
	f.complete(h, "totp", "123456").problem(http.StatusBadRequest, "invalid_request") // there is none to be asked for
	v.api("POST", "login/mfa/enrol", map[string]string{"mfa_token": h.Token,
		"method": "sms"}).problem(http.StatusBadRequest, "invalid_request")
	v.api("POST", "login/mfa/enrol", map[string]string{"mfa_token": strings.Repeat("A", 43),
		"method": "totp"}).problem(http.StatusUnauthorized, "login_required")
	var setup struct{ Secret string }
	v.api("POST", "login/mfa/enrol", map[string]string{"mfa_token": h.Token,
		"method": "totp"}).want(http.StatusOK).json(&setup)
	f.key = setup.Secret
	wrong := map[string]any{"mfa_token": h.Token, "method": "totp", "code": "000000", "enrol": true}
	v.api("POST", "login/mfa", wrong).problem(http.StatusUnauthorized, "invalid_code")
	var out struct {
		tokens
		Codes []string `json:"recovery_codes"`
	}
	wrong["code"] = f.code()
	v.api("POST", "login/mfa", wrong).want(http.StatusOK).json(&out)
	if out.Access == "" || len(out.Codes) != 10 {
		t.Errorf("after setting up: %+v", out)
	}
	// The password alone cannot add a factor beside those that are there.
	h = f.begin()
	v.api("POST", "login/mfa/enrol", map[string]string{"mfa_token": h.Token,
		"method": "totp"}).problem(http.StatusBadRequest, "invalid_request")
	v.api("POST", "login/passkey/begin", map[string]any{"mfa_token": h.Token,
		"enrol": true}).problem(http.StatusBadRequest, "invalid_request")
	f.complete(h, "totp", f.code()).want(http.StatusOK)
}

// R6 MF-14: a passkey can be the required factor, in a browser and at the API.
func TestPasskeyIsSetUpWithinTheSignIn(t *testing.T) {
	s := enrolSite.open(t)
	s.user("ulla", "copper kettles in the rain", "staff")
	v := s.browser("app.test")
	v.tryForm("/.truxe/login", "ulla", "copper kettles in the rain").want(http.StatusSeeOther)
	page := v.get("/.truxe/mfa?enrol=passkey", navigate).want(http.StatusOK)
	for _, url := range []string{"/.truxe/api/v1/login/passkey/begin?step=enrol",
		"/.truxe/api/v1/login/passkey/finish?step=enrol"} {
		if !strings.Contains(page.body, url) {
			t.Errorf("the page lacks %s", url)
		}
	}
	key := credentialtest.New(t)
	begin := func(body string) string {
		t.Helper()
		return v.do("POST", "/.truxe/api/v1/login/passkey/begin?step=enrol", body, sendsJSON,
			v.sameOrigin()).want(http.StatusOK).body
	}
	made := string(key.Create(t, []byte(begin("{}")), s.origin("app.test")))
	stranger := s.browser("app.test")
	stranger.get("/.truxe/login", navigate)
	if a := stranger.do("POST", "/.truxe/api/v1/login/passkey/finish?step=enrol", made, sendsJSON,
		stranger.sameOrigin()); a.status != http.StatusUnauthorized || stranger.session() != "" {
		t.Errorf("another browser's answer: %d", a.status)
	}
	made = string(key.Create(t, []byte(begin("{}")), s.origin("app.test")))
	v.do("POST", "/.truxe/api/v1/login/passkey/finish?step=enrol", made, sendsJSON, v.sameOrigin()).want(http.StatusOK)
	on := v.get("/.truxe/mfa?r=&added=x", navigate)
	if to := on.header.Get("Location"); !strings.HasPrefix(to, "/.truxe/account/recovery-codes?r=") {
		t.Errorf("after the passkey the way leads to %q", to)
	}
	v.get("/", navigate).want(http.StatusOK)
}
