package test

import (
	"bytes"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var keyOnPage = regexp.MustCompile(`(?s)<code class="key"[^>]*>([A-Z2-7 ]+)</code>`)

var codesOnPage = regexp.MustCompile(`<code>([2-9A-Z]{5}(?:-[2-9A-Z]{5}){3})</code>`)

var (
	pageTags   = regexp.MustCompile(`</?(?:bdi|strong|b|code|span)\b[^>]*>`)
	pageSpaces = regexp.MustCompile(`\s+`)
)

// text is a page's words as a person reads them; other tags stay.
func (a answer) text() string {
	return html.UnescapeString(pageSpaces.ReplaceAllString(pageTags.ReplaceAllString(a.body, ""), " "))
}

// MF-06 MF-07 MF-11: setting up an app on the pages, without JavaScript: the key stays over a reload, counts only after
// a right code, and recovery codes follow; each is shown until "Finish" and not afterwards.
func TestAppIsSetUpOnThePages(t *testing.T) {
	s := mfaSite.open(t)
	f := &factor{s: s, host: "app.test", name: "amira", password: "copper kettles in the rain"}
	s.user(f.name, f.password, "member")
	v := s.browser("app.test")
	v.signIn(f.name, f.password)
	before := v.session()
	page := v.get("/.truxe/account/totp", navigate).want(http.StatusOK)
	if again := v.get("/.truxe/account/totp",
		navigate); keyOnPage.FindString(again.body) != keyOnPage.FindString(page.body) ||
		!strings.Contains(page.body, "<svg") || !strings.Contains(page.body, "otpauth://totp/") {
		t.Fatal("a reload shows another key, or the page has no picture and link")
	}
	f.key = unspaced(keyOnPage.FindStringSubmatch(page.body)[1])
	if len(f.key) != 32 {
		t.Errorf("the key has %d characters, 160 bits are 32", len(f.key))
	}
	// A pending key proves nothing.
	s.login("app.test", f.name, f.password)
	a := v.form("account/totp", "code", "000000")
	if a.status != http.StatusUnprocessableEntity || keyOnPage.FindString(a.body) != keyOnPage.FindString(page.body) {
		t.Errorf("a wrong code: %d", a.status)
	}
	slow := v.form("account/totp", "code", f.codeAt(time.Now().Unix()/step-6)).want(http.StatusUnprocessableEntity)
	if !strings.Contains(slow.text(), "Your phone's clock looks about 3 minutes slow.") {
		t.Errorf("a clock that is 3 minutes slow: %.1500s", slow.text())
	}
	done := v.form("account/totp", "code", f.code()).want(http.StatusSeeOther)
	if v.session() == before || done.header.Get("Location") != "/.truxe/account/recovery-codes" {
		t.Errorf("after the right code: %v, same secret %v", done.header.Get("Location"), v.session() == before)
	}
	codes := v.get("/.truxe/account/recovery-codes", navigate).want(http.StatusOK)
	found := codesOnPage.FindAllStringSubmatch(codes.body, -1)
	if len(found) != 10 {
		t.Fatalf("%d codes are shown", len(found))
	}
	file := v.form("account/recovery-codes", "action", "download").want(http.StatusOK)
	if !strings.HasPrefix(file.header.Get("Content-Disposition"), "attachment") ||
		!strings.Contains(file.body, found[9][1]) || !strings.Contains(file.body, f.name) {
		t.Errorf("the file: %v %s", file.header, file.body)
	}
	v.form("account/recovery-codes", "action", "finish").want(http.StatusUnprocessableEntity)
	v.form("account/recovery-codes", "action", "finish", "saved", "on").want(http.StatusSeeOther)
	later := v.get("/.truxe/account/recovery-codes", navigate).want(http.StatusOK)
	if codesOnPage.MatchString(later.body) || !strings.Contains(later.body, "10 codes left") {
		t.Errorf("after Finish the codes are shown, or not counted: %.600s", later.body)
	}
	v.form("account/recovery-codes", "action", "download").want(http.StatusSeeOther)
	other := f.browser()
	if codesOnPage.MatchString(other.get("/.truxe/account/recovery-codes", navigate).body) ||
		keyOnPage.MatchString(other.get("/.truxe/account/totp", navigate).body) {
		t.Error("another session sees codes or key")
	}
	f.recovery = []string{found[0][1], found[1][1]}
	f.complete(f.begin(), "recovery_code", f.rescue()).want(http.StatusOK)

	// MF-06: neither key nor codes stand anywhere in clear.
	raw := []string{f.key, strings.ToLower(f.key), found[2][1], unspaced(found[2][1]),
		strings.TrimSpace(keyOnPage.FindStringSubmatch(page.body)[1])}
	searched := 0
	err := filepath.WalkDir(s.g.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // sockets and the like
		}
		searched++
		for _, secret := range raw {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s holds %s…", path, secret[:4])
			}
		}
		return nil
	})
	if err != nil || searched < 3 {
		t.Fatalf("%d files were searched: %v", searched, err)
	}
	for _, where := range []string{s.g.Log(), s.cli("audit", "list", "-n", "500", "-o", "jsonl")} {
		for _, secret := range raw {
			if strings.Contains(where, secret) {
				t.Errorf("log or audit holds %s…", secret[:4])
			}
		}
	}
}

// MF-13 SE-14: with a sign-in older than five minutes every change of factors, and ending other sessions, asks for a
// factor as strong as the best one first; the password is not enough for a user with an app.
func TestChangesOfFactorsAskForAFreshOne(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "boris")
	v := f.browser()
	old := s.login2(f)
	s.stale(f.name)
	token := s.refresh(old.Refresh).Access
	own := v.sameOrigin()
	v.get("/", navigate).want(http.StatusOK)
	type call struct {
		method, path string
		body         any
	}
	calls := []call{{"POST", "mfa/totp", nil}, {"DELETE", "mfa/totp", nil},
		{"POST", "mfa/totp/confirm", map[string]string{"code": "123456"}}, {"POST", "mfa/recovery-codes", nil},
		{"POST", "mfa/passkeys/begin", map[string]string{}}, {"PATCH", "mfa/passkeys/aaaaaaaaaaaaaaaaaaaaaaaaaa",
			map[string]string{"name": "x"}},
		{"DELETE", "mfa/passkeys/aaaaaaaaaaaaaaaaaaaaaaaaaa", nil}, {"DELETE", "sessions", nil},
		{"DELETE", "sessions?except=current", nil},
		{"POST", "password/change", map[string]string{"current_password": f.password,
			"new_password": "a quite different long one"}}}
	for _, c := range calls {
		for kind, a := range map[string]answer{"cookie": v.api(c.method, c.path, c.body, own),
			"token": s.withBearer("app.test", token).api(c.method, c.path, c.body)} {
			var p struct {
				Code   string `json:"code"`
				ACR    string `json:"acr_values"`
				MaxAge int    `json:"max_age"`
			}
			a.json(&p)
			if a.status != http.StatusUnauthorized || p.Code != "step_up_required" || p.ACR != "2" || p.MaxAge != 300 ||
				!strings.Contains(a.header.Get("WWW-Authenticate"), "insufficient_user_authentication") {
				t.Errorf("%s %s by %s: %d %s", c.method, c.path, kind, a.status, a.body)
			}
		}
	}
	for form, want := range map[string]string{"account/totp|action=remove": "remove_totp",
		"account/totp|action=replace": "replace_totp", "account/recovery-codes|action=new": "recovery_codes",
		"account/sessions|revoke=others":                                      "end_sessions",
		"account/passkeys|action=remove&id=aaaaaaaaaaaaaaaaaaaaaaaaaa":        "remove_passkey",
		"account/password|new_password=x":                                     "password",
		"account/passkeys|action=rename&name=x&id=aaaaaaaaaaaaaaaaaaaaaaaaaa": "change_passkey",
		"account/profile|name=B&email=new@example.com":                        "profile"} {
		page, body, _ := strings.Cut(form, "|")
		a := v.do("POST", "/.truxe/"+page, body, submit, []string{"Origin", "https://app.test"})
		if to := a.header.Get("Location"); a.status != http.StatusSeeOther || to != "/.truxe/confirm?for="+want {
			t.Errorf("%s: %d %s", form, a.status, to)
		}
	}
	ask := v.get("/.truxe/confirm?for=remove_totp", navigate).want(http.StatusOK)
	if text := ask.text(); !strings.Contains(text, "Confirm it's you to remove your authenticator app") ||
		strings.Contains(text, `type="password"`) || !strings.Contains(text, "5 minutes") {
		t.Errorf("the page that asks: %.1200s", text)
	}
	before := v.session()
	v.form("confirm", "method", "password", "password", f.password, "return", "remove_totp").want(http.StatusSeeOther)
	// the password is the weaker factor
	v.api("DELETE", "mfa/totp", nil, v.sameOrigin()).problem(http.StatusUnauthorized, "step_up_required")
	v.form("confirm", "method", "totp", "code", "000000", "return", "remove_totp").want(http.StatusUnauthorized)
	a := v.form("confirm", "method", "totp", "code", f.code(), "return", "remove_totp").want(http.StatusSeeOther)
	if a.header.Get("Location") != "/.truxe/account/totp?remove=1" || v.session() == before {
		t.Errorf("after the confirmation: %s", a.header.Get("Location"))
	}
	v.form("account/totp", "action", "remove").want(http.StatusSeeOther)
	if page := v.get("/.truxe/account/totp?removed=1", navigate).want(http.StatusOK); !strings.Contains(page.text(),
		"Your authenticator app is removed.") {
		t.Error("the page does not say that the app is removed")
	}
	// MF-20: it stopped at once
	s.login("app.test", f.name, f.password)
	// CS-06: nothing but the list is ever a way
	for _, bad := range []string{"https://evil.test/", "//evil.test", "/evil", "javascript:alert(1)",
		strings.Repeat("a", 5000)} {
		if a := v.get("/.truxe/confirm?for="+values("x", bad)[2:], navigate); strings.Contains(a.header.Get("Location"),
			"evil") || a.status >= 500 {
			t.Errorf("for=%.40s: %d %s", bad, a.status, a.header.Get("Location"))
		}
	}
}

// login2 is a bearer token of a user with an app.
func (s *story) login2(f *factor) tokens {
	s.t.Helper()
	var out tokens
	f.complete(f.begin(), "recovery_code", f.rescue()).want(http.StatusOK).json(&out)
	return out
}

// MF-13 RFC 9470: a program steps up too: it confirms, refreshes its token, and does what was refused.
func TestProgramStepsUp(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "clara")
	token := f.login()
	s.stale(f.name)
	fresh := s.refresh(token.Refresh)
	v := s.withBearer("app.test", fresh.Access)
	v.api("POST", "mfa/recovery-codes", nil).problem(http.StatusUnauthorized, "step_up_required")
	var how struct {
		Methods []string
		Fresh   bool
	}
	v.api("GET", "confirm", nil).want(http.StatusOK).json(&how)
	if how.Fresh || len(how.Methods) != 1 || how.Methods[0] != "totp" {
		t.Errorf("how to confirm: %+v", how)
	}
	v.api("POST", "confirm", map[string]string{"method": "totp", "code": "12345"}).problem(http.StatusUnauthorized,
		"invalid_code")
	v.api("POST", "confirm", map[string]string{"method": "recovery_code",
		"code": f.recovery[0]}).problem(http.StatusBadRequest, "invalid_request")
	v.api("POST", "confirm", map[string]string{"method": "totp", "code": f.code()}).want(http.StatusOK)
	again := s.withBearer("app.test", s.refresh(fresh.Refresh).Access)
	var out struct {
		Codes []string `json:"recovery_codes"`
	}
	again.api("POST", "mfa/recovery-codes", nil).want(http.StatusOK).json(&out)
	if len(out.Codes) != 10 {
		t.Errorf("%d new codes", len(out.Codes))
	}
	// the old set is void
	f.complete(f.begin(), "recovery_code", f.recovery[0]).problem(http.StatusUnauthorized, "invalid_code")
	f.complete(f.begin(), "recovery_code", out.Codes[0]).want(http.StatusOK)
}

// MF-22 ASVS 7.4.3: a change of a factor ends remembered sessions on other browsers and every trust.
func TestFactorChangeEndsRememberedSessionsAndTrust(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "dario")
	kept := s.browser("app.test")
	kept.tryForm("/.truxe/login", f.name, f.password, "remember", "on").want(http.StatusSeeOther)
	a := kept.second("method", "totp", "code", f.code(), "trust", "on").want(http.StatusSeeOther)
	if line := a.setsCookie("__Host-truxe"); !strings.Contains(line, "Max-Age=2592000") {
		t.Errorf("a remembered session after two steps: %q", line)
	}
	kept.get("/", navigate).want(http.StatusOK)
	v := f.pending()
	v.second("method", "recovery_code", "code", f.rescue()).want(http.StatusSeeOther)
	v.form("account/recovery-codes", "action", "new").want(http.StatusSeeOther)
	kept.get("/", navigate).want(http.StatusFound)
	if to := kept.tryForm("/.truxe/login", f.name,
		f.password).want(http.StatusSeeOther).header.Get("Location"); !strings.HasPrefix(to, "/.truxe/mfa") {
		t.Errorf("the trust outlived the change: %s", to)
	}
	v.get("/", navigate).want(http.StatusOK)
}

// MF-21: amr, acr and auth_time say the same, and the truth, in session, userinfo, token and the app's header.
func TestMethodsAreToldTrulyEverywhere(t *testing.T) {
	s := mfaSite.open(t)
	s.user("edith", "forty wooden bridges", "member")
	plain := claimsOf(t, s.login("app.test", "edith", "forty wooden bridges").Access)
	if plain["acr"] != "1" || !same(plain["amr"], "pwd") {
		t.Errorf("with a password: %v %v", plain["acr"], plain["amr"])
	}
	f := s.withTOTP("app.test", "fatima")
	token := f.login()
	claims := claimsOf(t, token.Access)
	if claims["acr"] != "2" || !same(claims["amr"], "pwd", "otp", "mfa") {
		t.Errorf("with a code: %v %v", claims["acr"], claims["amr"])
	}
	age := time.Now().Unix() - int64(claims["auth_time"].(float64))
	if age < -2 || age > 60 {
		t.Errorf("auth_time is %d s ago", age)
	}
	v := s.withBearer("app.test", token.Access)
	v.get("/", program).want(http.StatusOK)
	header := strings.FieldsFunc(strings.Join(s.up.Last().Get("X-Truxe-Amr"), ","),
		func(r rune) bool { return r == ',' || r == ' ' })
	if !same(header, "pwd", "otp", "mfa") {
		t.Errorf("X-Truxe-Amr %v", header)
	}
	for _, call := range []string{"userinfo", "session"} {
		var out map[string]any
		v.api("GET", call, nil).want(http.StatusOK).json(&out)
		if !same(out["amr"], "pwd", "otp", "mfa") {
			t.Errorf("%s: %v", call, out["amr"])
		}
	}
	if kept := claimsOf(t, s.refresh(token.Refresh).Access); kept["acr"] != "2" ||
		kept["auth_time"] != claims["auth_time"] {
		t.Errorf("after a refresh: %v %v, it was %v", kept["acr"], kept["auth_time"], claims["auth_time"])
	}
	recovered := claimsOf(t, s.login2(f).Access)
	if !same(recovered["amr"], "pwd", "recovery", "mfa") {
		t.Errorf("with a recovery code: %v", recovered["amr"])
	}
}

// same compares lists as sets.
func same(got any, want ...string) bool {
	set := map[string]bool{}
	switch list := got.(type) {
	case []string:
		for _, s := range list {
			set[s] = true
		}
	case []any:
		for _, s := range list {
			text, _ := s.(string)
			set[text] = true
		}
	}
	for _, s := range want {
		if !set[s] {
			return false
		}
	}
	return len(set) == len(want)
}

// UX section 3: the pages of the account show what there is and keep what is changed.
func TestAccountPagesShowAndKeep(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "greta")
	v := f.browser()
	for path, want := range map[string]string{"account": "Recovery codes", "account/profile": "greta@example.com",
		"account/activity": "Second factor added", "account/devices": "Trusted devices",
		"account/passkeys": "No passkeys yet", "account/totp": "Your authenticator app is on",
		"account/recovery-codes": "10 codes left", "account/sessions": "This device",
		"account/password": "new_password"} {
		a := v.get("/.truxe/"+path, navigate).want(http.StatusOK)
		if !strings.Contains(a.text(), want) || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s lacks %q, or may be stored", path, want)
		}
	}
	v.form("account/profile", "name", "Greta <b>G.</b>", "email", "greta@example.com").want(http.StatusSeeOther)
	if page := v.get("/.truxe/account/profile?saved=1", navigate).want(http.StatusOK); strings.Contains(page.body,
		"<b>G.") || !strings.Contains(page.body, "Greta &lt;b&gt;G.&lt;/b&gt;") {
		t.Error("the name is not kept, or not escaped")
	}
	v.form("account/profile", "name", "Greta", "email", "no address").want(http.StatusUnprocessableEntity)
	v.form("account/profile", "name", strings.Repeat("x", 5000), "email",
		"greta@example.com").want(http.StatusUnprocessableEntity)
	v.form("account", "action", "default", "method", "totp").want(http.StatusSeeOther)
	v.form("account", "action", "default", "method", "carrier pigeon").want(http.StatusBadRequest)
	v.form("account", "action", "explode").want(http.StatusBadRequest)
	for _, page := range []string{"account/totp", "account/recovery-codes", "account/passkeys"} {
		v.form(page, "action", "explode", "id", "aaaaaaaaaaaaaaaaaaaaaaaaaa").want(http.StatusBadRequest)
	}
	v.form("account/passkeys", "action", "rename", "id", "none", "name", "x").want(http.StatusUnprocessableEntity)
	v.get("/.truxe/account/activity?cursor=99999999999999999999", navigate).want(http.StatusOK)
	stranger := s.browser("app.test")
	stranger.signIn("pia", piaPassword)
	if page := stranger.get("/.truxe/account/activity", navigate); strings.Contains(page.body, "greta") {
		t.Error("another user's activity is shown")
	}
}
