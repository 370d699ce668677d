package test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// steps looks at the way that the keyboard takes through the page that is open, there and back.
func (v *viewer) steps(name string) {
	v.t.Helper()
	for _, fault := range v.Walk() {
		v.t.Errorf("%s: %s", name, fault)
	}
}

// types goes to a field and writes into it.
func (v *viewer) types(selector, text string) {
	v.t.Helper()
	v.TabTo(selector)
	v.Type(text)
}

// presses goes to something and presses Enter on it.
func (v *viewer) presses(selector string) {
	v.t.Helper()
	v.TabTo(selector)
	v.Press(kb.Enter)
}

// keysIn signs in by keyboard: the name is where the focus is, the password the next stop, Enter sends.
func (v *viewer) keysIn(f *factor) {
	v.t.Helper()
	v.WaitText("h1", "Sign in")
	v.steps("login")
	v.types("#username", f.name)
	if s := v.Tab(false); !strings.Contains(s.What, `id="password"`) || len(s.Faults) != 0 {
		v.t.Errorf("after the name comes %s: %q", s.What, s.Faults)
	}
	v.Type(f.password)
	v.Press(kb.Enter)
}

// keyCode enters a code by keyboard, on a page that has its focus in the field.
func (v *viewer) keyCode(code string) {
	v.t.Helper()
	v.WaitVisible("#code")
	v.WaitEval(8*time.Second, "the code's field has the focus", `document.activeElement.id === "code"`)
	v.steps("code")
	v.TabTo("#code")
	v.Type(code + kb.Enter) // where the sixth digit has sent it already, too
}

// keysOut signs out by the link in the head of the account's pages.
func (v *viewer) keysOut() {
	v.t.Helper()
	v.Open(v.at("app", "/.truxe/account"))
	v.presses("a[href$='/.truxe/logout']")
	v.WaitText("h1", "Sign out?")
	v.steps("logout")
	v.presses("main button[type=submit]")
	v.WaitText("h1", "You're signed out.")
	v.steps("signed-out")
}

// UX section 4, 12; WCAG 2.2 2.1.1, 2.1.2, 2.4.3, 2.4.7, 2.4.11: no user needs a mouse. Everything that a person does
// with an account, by Tab, Shift-Tab, Enter, Space and typing alone; at every stop it is seen where the focus is.
func TestAccountIsHeldByKeyboardAlone(t *testing.T) {
	ways(t, func(t *testing.T, plain bool) {
		s := factorPages.open(t)
		v := s.view(t, plain)
		f := v.member(s, "kaya")
		link := v.at("app", "/orders?id=7")
		v.Open(link)
		v.WaitText("h1", "Sign in")
		v.types("#username", f.name)
		v.types("#password", "not the password")
		v.Press(kb.Enter)
		v.failed("#username", f.name, "#password")
		v.steps("wrong-password")
		v.types("#password", f.password)
		v.Press(kb.Enter)
		v.lands(link)

		// The first stop of a page leads past its head.
		v.Open(v.at("app", "/.truxe/account"))
		v.WaitText("h1", "Kaya")
		v.steps("account")
		v.Open(v.at("app", "/.truxe/account"))
		if first := v.Tab(false); !strings.Contains(first.What, `class="skip"`) || len(first.Faults) != 0 {
			t.Errorf("the first stop is %s: %q", first.What, first.Faults)
		}
		v.Press(kb.Enter)
		if next := v.Tab(false); !rig.Eval[bool](v.Chromium,
			`document.querySelector("main").contains(document.activeElement)`) {
			t.Errorf("after the skip link comes %s", next.What)
		}

		// An authenticator app and recovery codes.
		v.presses("#b-totp")
		_, f.key = v.scan()
		v.steps("totp")
		v.types("#code", "000000")
		v.Press(kb.Enter)
		v.WaitVisible(".summary")
		v.focused()
		v.presses(".summary a") // leads to the field
		v.Type(f.code())
		v.Press(kb.Enter)
		v.WaitText("h1", "Save your recovery codes")
		f.recovery = v.codes()
		v.steps("recovery-codes")
		v.TabTo("form:has([value=download]) button")
		file := v.saves(t, func() { v.Press(kb.Enter) })
		if got := recoveryCode.FindAllString(file, -1); len(got) != 10 {
			t.Errorf("the file has %q", got)
		}
		v.TabTo("#saved")
		v.Press(" ")
		if !rig.Eval[bool](v.Chromium, `document.querySelector("#saved").checked`) {
			t.Fatal("Space does not tick the box")
		}
		v.presses("form:has(#saved) button[type=submit]")
		v.WaitText("main", "10 codes left")
		v.steps("codes-kept")
		v.keysOut()

		// Password and code; then a recovery code by the other way that is offered.
		v.Open(link)
		v.keysIn(f)
		v.WaitText("h1", "Enter your code")
		v.keyCode(f.code())
		v.lands(link)
		v.keysOut()
		v.Open(link)
		v.keysIn(f)
		v.WaitText("h1", "Enter your code")
		v.presses("a.way[href*='method=recovery_code']")
		v.WaitText("h1", "Enter a recovery code")
		v.steps("recovery-code")
		v.types("#code", f.rescue())
		v.Press(kb.Enter)
		v.WaitText("h1", "9 recovery codes left")
		v.steps("recovery-used")
		v.presses("main a.button")
		v.lands(link)

		// Another session of theirs is ended; the password changes.
		s.login2(f)
		v.Open(v.at("app", "/.truxe/account/sessions"))
		v.WaitText("h1", "Your devices")
		v.steps("sessions")
		v.presses("ul.devices button[name=revoke]")
		v.WaitText("main .note", "signed out")
		v.Open(v.at("app", "/.truxe/account"))
		v.presses("main a[href$='/.truxe/account/password']")
		const fresh = "nine lanterns over the weir"
		v.WaitVisible("#new_password")
		v.steps("password")
		v.types("#current_password", f.password)
		v.types("#new_password", fresh)
		v.TabTo("#sign_out_others")
		v.Press(" ")
		v.presses("main form button[type=submit]")
		v.WaitVisible(".note.ok")
		f.password = fresh

		// The app is removed, which asks for a fresh code first.
		s.stale(f.name)
		v.Forget()
		v.Open(v.at("app", "/.truxe/account/totp?remove=1"))
		v.WaitText("h1", "Confirm it's you to remove your authenticator app")
		v.presses("form .actions a") // no
		v.WaitText("h2", "Your authenticator app is on")
		v.steps("app-on")
		v.presses("a.danger")
		v.WaitText("h1", "Confirm it's you")
		v.keyCode(f.code())
		v.WaitText(".ask h2", "Remove your authenticator app?")
		v.steps("remove-app")
		v.presses(".ask button.danger")
		v.WaitText("main .note", "Your authenticator app is removed.")
		for path, heading := range map[string]string{"account/profile": "", "account/passkeys": "Passkeys",
			"account/devices": "", "account/activity": "", "": "Your apps"} {
			v.Open(v.at("app", "/.truxe/"+path))
			v.WaitText("h1", heading)
			v.steps("page " + path)
		}
		v.quiet("by keyboard")
	})
}

// UX section 4, 7 and 12: a passkey by keyboard alone: added, named, used as the second step and as the only one.
func TestPasskeyIsHeldByKeyboardAlone(t *testing.T) {
	v, f, device := withPasskeys(t, "kirk", "staff")
	link := v.at("app", "/orders?id=7")
	v.Open(link)
	v.keysIn(f)
	v.WaitText("h1", "Your account needs a second factor")
	v.steps("choice of a factor")
	v.presses("a.choice[href*='enrol=passkey']")
	v.WaitText("h1", "Add a passkey")
	v.steps("required passkey")
	device.Present(true)
	v.presses(passkeyButton)
	v.WaitText("h1", "Save your recovery codes")
	v.TabTo("#saved")
	v.Press(" ")
	v.Press(kb.Enter)
	v.lands(link)

	v.Open(v.at("app", "/.truxe/account/passkeys"))
	v.presses(passkeyButton)
	v.waitPasskeyMessage("This device already has a passkey for your account.")
	v.steps("passkeys")
	v.presses("a[href*='rename=']")
	v.WaitVisible("#name")
	v.steps("rename")
	v.TabTo("#name")
	v.Type("Kirk's key") // a field that Tab leads to has its text selected
	v.Press(kb.Enter)
	v.WaitText("ul.rows", "Kirk's key")
	v.presses("a[href*='remove=']")
	v.WaitText(".ask", "You can't sign in with it any more.")
	v.steps("remove passkey")
	v.presses(".ask a") // no
	v.WaitVisible("a[href*='remove=']")
	v.keysOut()

	v.loginPage(device, link)
	v.keysIn(f)
	v.WaitText("h1", "Use your passkey")
	v.steps("second step")
	device.Present(true)
	v.presses(passkeyButton)
	v.lands(link)
	v.keysOut()
	v.loginPage(device, link)
	v.choose(device, v.presses)
	v.lands(link)
}
