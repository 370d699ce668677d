package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/portal"
)

var mfaSite = share(plot{
	options: "\t\trate_limit login 1000 5m\n\t\trate_limit address 10000 5m",
	sites: site("app.test", "\ttruxe {\n\t\tpublic /public/*\n\t\theaders default\n\t}\n\treverse_proxy UPSTREAM") +
		site("other.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
})

// secondSteps are the URLs that answer a half sign-in: they take the second step, or end it (R6).
func secondStep(path string) bool {
	return path == "mfa" || path == "logout" || path == "api/v1/logout" || path == "login" || path == "api/v1/login" ||
		strings.HasPrefix(path, "api/v1/login/")
}

// anyOf returns a URL of a route with values for its parameters.
func anyOf(path string) string {
	return strings.NewReplacer("{id}", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "{role}", "staff").Replace(path)
}

// bodyFor is a body that a call can read, so that it is the caller who is refused and not the body.
func bodyFor(method, path string) (string, []string) {
	switch {
	case method == http.MethodGet || method == http.MethodDelete:
		return "", nil
	case path == "api/v1/token" || path == "api/v1/revoke" || path == "api/v1/introspect":
		return "grant_type=refresh_token&refresh_token=x&token=x", sendsForm
	case strings.HasPrefix(path, "api/"):
		return "{}", sendsJSON
	}
	return "action=new&revoke=others&name=x", submit
}

// MF-08 R6 ASVS 2.3.1: with the password alone, every registered URL answers like a stranger or leads to the sign-in,
// but for the second step, signing in and signing out. A browser is walked through them, and a program with its
// mfa_token.
func TestHalfSignedInIsNotSignedInOnAnyRoute(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "hannah", "admin")
	pending, stranger := f.pending(), s.browser("app.test")
	stranger.get("/.truxe/login", navigate).want(http.StatusOK)
	token := f.begin().Token
	program401 := s.withBearer("app.test", token)
	control := s.withBearer("app.test", f.login().Access)

	walked, refused := 0, 0
	for _, r := range portal.Routes() {
		path := "/.truxe/" + anyOf(r.Path)
		for _, method := range r.Methods {
			body, kind := bodyFor(method, r.Path)
			headers := [][]string{kind, {"Origin", "https://app.test"}, {"Sec-Fetch-Site", "same-origin"}}
			walked++
			if r.Open || secondStep(r.Path) {
				continue
			}
			a, b := pending.do(method, path, body, headers...), stranger.do(method, path, body, headers...)
			where := a.header.Get("Location")
			if where != "" && !strings.HasPrefix(where, "/.truxe/login") {
				t.Errorf("%s %s leads a half sign-in to %s", method, path, where)
			}
			if a.status != b.status {
				t.Errorf("%s %s answers a half sign-in with %d and a stranger with %d", method, path, a.status, b.status)
			}
			if strings.Contains(a.body, "hannah") || a.setsCookie("__Host-truxe") != "" &&
				!strings.Contains(a.setsCookie("__Host-truxe"), "Max-Age=0") {
				t.Errorf("%s %s knows the half sign-in: %.300s", method, path, a.body)
			}
			if r.Signed {
				refused++
				if a.status != http.StatusUnauthorized && a.status != http.StatusFound && a.status != http.StatusSeeOther {
					t.Errorf("%s %s: %d", method, path, a.status)
				}
			}
			// As a bearer token an mfa_token is not one of ours.
			if got := program401.do(method, path, body, kind); r.Signed && got.status != http.StatusUnauthorized &&
				got.status != http.StatusFound && got.status != http.StatusSeeOther {
				t.Errorf("%s %s with an mfa_token: %d", method, path, got.status)
			}
		}
	}
	if walked < 50 || refused < 30 {
		t.Errorf("only %d routes were walked, %d of them refused", walked, refused)
	}
	control.api("GET", "userinfo", nil).want(http.StatusOK)

	// The protected site, and the token in the cookie's and the bearer's place.
	pending.get("/", navigate).want(http.StatusFound)
	pending.get("/", program).problem(http.StatusUnauthorized, "login_required")
	program401.get("/", program).want(http.StatusUnauthorized)
	forged := s.bare("app.test")
	forged.cookie = "__Host-truxe=" + token
	forged.get("/", program).want(http.StatusUnauthorized)
	forged.cookie = "__Host-truxe=" + pending.inJar("__Host-truxe-flow")
	forged.get("/", program).want(http.StatusUnauthorized)

	// Public paths see no identity.
	pending.get("/public/x", program).want(http.StatusOK)
	if user := s.up.Last().Get("Remote-User"); len(user) > 0 && strings.Join(user, "") != "" {
		t.Errorf("a public path was told of %v", user)
	}

	// Signing out ends it, and then the right code comes too late.
	if ask := pending.get("/.truxe/logout", navigate).want(http.StatusOK).text(); !strings.Contains(ask,
		"Stop signing in?") || strings.Contains(ask, "You're signed in") {
		t.Errorf("the page of signing out: %.1500s", ask)
	}
	pending.form("logout").want(http.StatusSeeOther)
	if a := pending.form("mfa", "method", "totp", "code", f.codeAt(f.last+1)); a.status != http.StatusSeeOther ||
		!strings.HasPrefix(a.header.Get("Location"), "/.truxe/login") {
		t.Errorf("a code after logout: %d %s", a.status, a.header.Get("Location"))
	}
	s.bare("app.test").api("POST", "logout", map[string]string{"mfa_token": token}).want(http.StatusNoContent)
	s.bare("app.test").api("POST", "login/mfa", map[string]string{"mfa_token": token, "method": "totp",
		"code": f.codeAt(f.last + 1)}).problem(http.StatusUnauthorized, "login_required")
}

// R6: a GET of the second step without the first one leads to the sign-in, and keeps the way back.
func TestSecondStepWithoutTheFirstLeadsToTheSignIn(t *testing.T) {
	s := mfaSite.open(t)
	v := s.browser("app.test")
	first := v.get("/deep/link?q=1", navigate).want(http.StatusFound).header.Get("Location")
	_, id, _ := strings.Cut(first, "?r=")
	a := v.get("/.truxe/mfa?r="+id, navigate).want(http.StatusSeeOther, http.StatusFound)
	if to := a.header.Get("Location"); to != "/.truxe/login?r="+id {
		t.Errorf("leads to %q", to)
	}
	v.form("mfa", "method", "totp", "code", "123456").want(http.StatusSeeOther)
}

// MF-08 MF-12 CVE-2026-32246: whatever a person with a second factor proves with the password alone, API login, Basic,
// refresh and ticket never get past the second step.
func TestOldPathsNeverGetPastTheSecondStep(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "ivan")
	h := f.begin()
	v := s.bare("app.test")
	// Basic and Bearer with whatever the first step gave.
	for _, header := range [][]string{
		{"Authorization", "Basic " + basic(f.name, f.password)}, {"Authorization", "Basic " + basic(f.name, h.Token)},
		{"Authorization", "Bearer " + h.Token},
		{"Cookie", "__Host-truxe=" + h.Token}, {"Cookie", "__Host-truxe-flow=" + h.Token},
	} {
		if a := v.get("/", program, header); a.status != http.StatusUnauthorized {
			t.Errorf("%v: %d", header, a.status)
		}
		if a := v.api("GET", "userinfo", nil, header); a.status != http.StatusUnauthorized {
			t.Errorf("userinfo with %v: %d", header, a.status)
		}
	}
	v.do("POST", "/.truxe/api/v1/token", values("grant_type", "refresh_token", "refresh_token", h.Token),
		sendsForm).want(http.StatusBadRequest)
	v.do("POST", "/.truxe/api/v1/token", values("grant_type", "password", "username", f.name, "password", f.password),
		sendsForm).want(http.StatusBadRequest)
	b := f.pending()
	b.get("/.truxe/callback?ticket="+h.Token+"&r=x", navigate).want(http.StatusBadRequest)
	b.get("/.truxe/continue", navigate).want(http.StatusFound)
	// The half sign-in of a browser is no other browser's, and none of another host (MF-09).
	other := s.browser("app.test")
	other.get("/.truxe/login", navigate)
	other.form("mfa", "method", "totp", "code", f.codeAt(f.last+1)).want(http.StatusSeeOther)
	if other.session() != "" {
		t.Error("another browser took the second step")
	}
	s.bare("other.test").api("POST", "login/mfa", map[string]string{"mfa_token": h.Token, "method": "totp",
		"code": f.codeAt(f.last + 1)}).problem(http.StatusUnauthorized, "login_required")
	f.complete(h, "totp", f.code()).want(http.StatusOK) // control: nothing of this used it up
}
