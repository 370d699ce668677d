package test

import (
	"net/http"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

const pageWait = 10 * time.Second

// SE-02: the answer to a confirmation, which brings the session's new id, is lost on its way. The old id is dead all
// the same, on the pages and on the app: what was proven with the confirmation is never its holder's, who need not be
// the person that confirmed. So there is no grace here as there is when a role changes, where no user has proven
// anything. The person signs in again, and ends the session that no browser holds.
func TestLostAnswerToAConfirmationLeavesTheOldIDDead(t *testing.T) {
	s := mfaSite.open(t)
	f := s.withTOTP("app.test", "lotte")
	v := f.browser()
	s.stale(f.name)
	held := s.bare("app.test")
	held.cookie = "__Host-truxe=" + v.session() + "; __Host-truxe-flow=" + v.inJar("__Host-truxe-flow")
	held.get("/", navigate).want(http.StatusOK) // control
	held.api("POST", "confirm", map[string]string{"method": "totp", "code": f.code()},
		held.sameOrigin()).want(http.StatusOK)
	for range 2 { // not for a moment, and not later
		held.get("/", fetch).problem(http.StatusUnauthorized, "login_required")
		held.get("/", navigate).want(http.StatusFound)
		held.api("POST", "mfa/recovery-codes", map[string]string{}, held.sameOrigin()).problem(http.StatusUnauthorized,
			"login_required")
	}
	again := s.browser("app.test")
	again.tryForm("/.truxe/login", f.name, f.password).want(http.StatusSeeOther)
	again.second("method", "recovery_code", "code", f.rescue()).want(http.StatusSeeOther)
	again.get("/", navigate).want(http.StatusOK)
	again.api("DELETE", "sessions?except=current", nil, again.sameOrigin()).want(http.StatusNoContent)
}

// UX section 2, "a double submit is harmless": who reloads the page at the moment when a passkey is added, or presses a
// form's button twice, keeps the session: the browser waits for the answer that brings its new id.
func TestReloadWhileAPasskeyIsAddedKeepsTheSession(t *testing.T) {
	v, f, device := withPasskeys(t, "palle")
	page := v.at("app", "/.truxe/account/passkeys")
	v.InEveryPage(`{ const send = window.fetch; window.fetch = (url, how) => { const answer = send(url, how);
		if (!String(url).endsWith("/passkeys/finish")) return answer;
		location.reload();
		return new Promise(() => {}) } }`) // the answer is not read
	v.Open(page)
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Passkeys")
	device.Present(true)
	v.Click(passkeyButton)
	v.WaitEval(pageWait, "the page to be loaded again",
		`performance.getEntriesByType("navigation")[0]?.type === "reload" && document.readyState === "complete"`)
	v.WaitEval(pageWait, "the session's new id",
		`fetch("/.truxe/api/v1/session").then(a => a.json()).then(s => s.authenticated)`)
	v.Open(page)
	v.WaitText("ul.rows", "Added")
	if len(device.Credentials()) != 1 {
		t.Errorf("%d passkeys", len(device.Credentials()))
	}
}

// The same of a form: the second press cuts nothing off.
func TestDoubleSubmitKeepsTheSession(t *testing.T) {
	s := factorPages.open(t)
	v := s.view(t, false)
	f := v.member(s, "dora")
	v.Open(v.at("app", "/.truxe/account/password"))
	v.signIn(f.name, f.password)
	v.WaitVisible("#new_password")
	const fresh = "twelve owls above the mill"
	v.Fill("#current_password", f.password)
	v.Fill("#new_password", fresh)
	rig.Eval[bool](v.Chromium, `(b => {
		addEventListener("submit", e => { if (!e.defaultPrevented) sessionStorage.setItem("sent", 1 + Number(sessionStorage.getItem("sent"))) });
		b.click();
		b.click();
		setTimeout(() => b.click(), 40);
		return true;
	})(document.querySelector("main form button[type=submit]"))`)
	v.WaitText(".note.ok", "Your password is changed")
	if sent := rig.Eval[string](v.Chromium, `sessionStorage.getItem("sent")`); sent != "1" {
		t.Errorf("the form was sent %s times", sent)
	}
	v.quiet("double submit")
	v.Open(v.at("app", "/orders"))
	v.lands(v.at("app", "/orders"))
}
