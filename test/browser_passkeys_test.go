package test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// tellsRequests notes which requests for a passkey the browser has been given, so that a test can wait for one.
const tellsRequests = `{ const { get, create } = navigator.credentials; window.asked = [];
	navigator.credentials.get = async function (o) {
		asked.push(o.mediation ?? "get");
		if (!o.mediation && window.hold) await new Promise(go => { window.there = go });
		return get.call(this, o) };
	navigator.credentials.create = function (o) { asked.push("create"); return create.call(this, o) } }`

// withPasskeys is a person whose browser has a device for passkeys, signed in on the page of passkeys.
func withPasskeys(t *testing.T, name string, roles ...string) (*viewer, *factor, *rig.Authenticator) {
	t.Helper()
	s := factorPages.open(t)
	v := s.view(t, false)
	v.InEveryPage(tellsRequests)
	f := v.member(s, name, roles...)
	return v, f, v.NewAuthenticator()
}

// loginPage opens the login page of an app; the browser's own list is waiting, with no user at the device to choose.
func (v *viewer) loginPage(device *rig.Authenticator, link string) {
	v.t.Helper()
	device.Present(false)
	v.Open(link)
	v.WaitText("h1", "Sign in")
	v.asks("conditional")
}

// asks waits until the browser has been asked for a passkey in this way.
func (v *viewer) asks(how string) {
	v.t.Helper()
	v.WaitEval(8*time.Second, "a request for a passkey: "+how, "asked.includes("+strconv.Quote(how)+")")
}

// choose presses the button of the login page, and then a user is at the device. A device with a user there before
// could answer the browser's own list first, and the page with the button would be gone.
func (v *viewer) choose(device *rig.Authenticator, press func(selector string)) {
	v.t.Helper()
	rig.Eval[bool](v.Chromium, "(window.hold = true)")
	press(passkeyButton)
	v.WaitEval(8*time.Second, "the button asks", "!!window.there")
	device.Present(true)
	rig.Eval[bool](v.Chromium, "(setTimeout(there, 20), true)")
}

// goes follows a link, and does not wait for a login page that does not stay.
func (v *viewer) goes(link string) {
	v.t.Helper()
	rig.Eval[bool](v.Chromium, "(location.assign("+strconv.Quote(link)+"), true)")
}

// waitPasskeyMessage waits for what the page says of a passkey.
func (v *viewer) waitPasskeyMessage(want string) {
	v.t.Helper()
	v.WaitText("#passkey-said", want)
}

const passkeyButton = "[data-passkey-button]"

// MF-14 MF-15 MF-16; UX section 4, 7: a passkey is added once for a device, named, and signs in by button and by the
// browser's own list, also as the second step; a password beside the waiting list is not disturbed.
func TestPasskeySignsInInTheBrowser(t *testing.T) {
	v, f, device := withPasskeys(t, "petra")
	link := v.at("app", "/orders?id=7&q=a%20b#row-3")
	v.Open(v.at("app", "/.truxe/account/passkeys"))
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Passkeys")
	v.Click(passkeyButton)
	v.asks("create") // no user is at the device
	v.Do(chromedp.Reload())
	device.Present(true)
	v.Click(passkeyButton)
	v.WaitText("main .note", "Your passkey is ready.")
	v.Fill("#name", "Petra's phone <b>")
	v.Click("form.ask button[type=submit]")
	v.WaitText("main .note", "The new name is saved.")
	if list := v.Text("ul.rows"); !strings.Contains(list, "Petra's phone <b>") || !strings.Contains(list, "Synced") ||
		!strings.Contains(list, "Never used") {
		t.Errorf("the list says %s", list)
	}
	v.Click(passkeyButton)
	v.waitPasskeyMessage("This device already has a passkey for your account.")
	v.quiet("passkeys")
	v.signOut("app", v.quiet)

	// By the browser's list, which signs in as soon as a user is at the device; then by the button, which takes over from
	// it.
	device.Present(true)
	v.goes(link)
	v.lands(link)
	v.signOut("app", v.quiet)
	v.loginPage(device, link)
	device.Verified(false)
	v.choose(device, v.Click)
	v.waitPasskeyMessage("The passkey prompt was closed, or the device couldn't check it's you.")
	v.loginPage(device, link) // the list waits again
	device.Verified(true)
	v.choose(device, v.Click)
	v.lands(link)
	v.signOut("app", v.quiet)

	// The password while the list waits; then the passkey is the second step.
	v.loginPage(device, link)
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Use your passkey")
	device.Verified(false)
	device.Present(true)
	v.Click(passkeyButton)
	v.waitPasskeyMessage("The passkey prompt was closed, or the device couldn't check it's you.")
	device.Verified(true)
	v.Click(passkeyButton)
	v.lands(link)
	v.Open(v.at("app", "/.truxe/account/passkeys"))
	v.WaitText("ul.rows", "Last used")
	v.quiet("used passkey")
}

// MF-16 MF-17: a copy whose counter is behind is refused and told to its owner; a removed passkey is refused, and the
// browser is told to forget it, by the page of passkeys and by the login page.
func TestCopiedAndRemovedPasskeysAreRefusedInTheBrowser(t *testing.T) {
	v, f, device := withPasskeys(t, "paula")
	link := v.at("app", "/orders")
	v.Open(v.at("app", "/.truxe/account/passkeys"))
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Passkeys")
	device.Present(true)
	v.Click(passkeyButton)
	v.WaitText("main .note", "Your passkey is ready.")
	copied := device.Credentials()[0]
	v.signOut("app", v.quiet)
	device.Present(true)
	v.goes(link)
	v.lands(link)
	newer := device.Credentials()[0]
	if newer.SignCount <= copied.SignCount {
		t.Fatalf("control: the counter went from %v to %v", copied.SignCount, newer.SignCount)
	}
	v.signOut("app", v.quiet)

	v.loginPage(device, link)
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Use your passkey")
	copied.SignCount = 0
	device.Put(copied)
	device.Present(true)
	v.Click(passkeyButton)
	v.WaitText(".summary", "That passkey didn't work.")
	v.quiet("copied passkey")
	newer.SignCount += 5 // the true device has been used since
	device.Put(newer)
	v.Click(passkeyButton)
	v.lands(link)

	v.Open(v.at("app", "/.truxe/account/passkeys"))
	v.WaitText("ul.rows", "Its counter went backwards: it may have been copied.")
	v.Click("a[href*='remove=']")
	v.WaitText(".ask", "You can't sign in with it any more.")
	v.quiet("remove passkey")
	v.Click(".ask button.danger")
	v.WaitText("main .note", "The passkey is removed.")
	rig.WaitFor(t, 8*time.Second, "the device to forget the passkey",
		func() bool { return len(device.Credentials()) == 0 })
	v.signOut("app", v.quiet)

	v.loginPage(device, link)
	device.Put(newer)
	v.choose(device, v.Click)
	v.WaitText(".summary", "That passkey didn't work.")
	rig.WaitFor(t, 8*time.Second, "the device to forget the unknown passkey",
		func() bool { return len(device.Credentials()) == 0 })
	v.loginPage(device, link)
	v.signIn(f.name, f.password)
	v.lands(link)
}

// R6 MF-18: a passkey can be the factor that staff must have; then it cannot be removed.
func TestRequiredPasskeyIsSetUpInTheBrowser(t *testing.T) {
	v, f, device := withPasskeys(t, "pola", "staff")
	link := v.at("app", "/orders?id=9")
	v.Open(link)
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Your account needs a second factor")
	v.Click("a.choice[href*='enrol=passkey']")
	v.WaitText("h1", "Add a passkey")
	v.quiet("required passkey")
	device.Present(true)
	v.Click(passkeyButton)
	v.WaitText("h1", "Save your recovery codes")
	v.finish()
	v.lands(link)
	v.Open(v.at("app", "/.truxe/account/passkeys"))
	v.Click("a[href*='remove=']")
	v.Click(".ask button.danger")
	v.WaitText(".summary", "You need a second factor here.")
	v.quiet("last factor")
	if list := v.Text("ul.rows"); !strings.Contains(list, "Added") || len(device.Credentials()) != 1 {
		t.Errorf("the last factor is gone: %s", list)
	}
}

// MF-11, MF-13: whose only passkey is another host's adds one here, long after the sign-in by recovery code: the page
// asks for a further code, says how many are left, and leads back.
func TestPasskeyOfAnotherHostIsNoDeadEndInTheBrowser(t *testing.T) {
	v, f, device := withPasskeys(t, "pilar")
	v.Open(v.at("app", "/.truxe/account/passkeys"))
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Passkeys")
	device.Present(true)
	v.Click(passkeyButton)
	v.WaitText("main .note", "Your passkey is ready.")
	v.Open(v.at("app", "/.truxe/account/recovery-codes"))
	v.WaitText("h1", "Save your recovery codes") // made with the first factor
	f.recovery = v.codes()

	v.Open(v.at("vault", "/.truxe/account/passkeys"))
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Enter a recovery code")
	v.Fill("#code", f.rescue())
	v.submit()
	v.WaitText("h1", "9 recovery codes left")
	f.s.stale(f.name)
	v.Forget()
	v.Open(v.at("vault", "/.truxe/account/passkeys"))
	v.WaitVisible(passkeyButton)
	v.Click(passkeyButton)
	v.WaitText("h1", "Confirm it's you to add a passkey")
	v.Fill("#code", "not a code")
	v.submit()
	v.WaitText(".summary", "That recovery code didn't match.")
	v.check("confirm-by-recovery-code")
	v.Fill("#code", f.rescue())
	v.submit()
	v.WaitText("h1", "8 recovery codes left")
	v.quiet("used")
	v.Click("main a.button")
	v.WaitText("h1", "Passkeys")
	v.Click(passkeyButton)
	v.WaitText("main .note", "Your passkey is ready.")
	v.quiet("two hosts, two passkeys")
}
