package test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// cutAtZoom returns what a window of 320 CSS pixels does not show whole: what lies beside it, and text that is cut off
// with no way to see the rest. Fields show the part where the caret is.
const cutAtZoom = `(() => {
	const out = [], say = (e, why) => out.push(why + ": " + e.outerHTML.replace(/\s+/g, " ").slice(0, 120));
	if (document.documentElement.scrollWidth > innerWidth) out.push("the page is " + (document.documentElement.scrollWidth - innerWidth) + " px too wide");
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || e.closest("svg,.sr,.skip,input")) continue;
		const r = e.getBoundingClientRect(), s = getComputedStyle(e);
		if (r.width && (r.right > innerWidth + 1 || r.left < -1)) say(e, "beside the window");
		if (/hidden|clip/.test(s.overflowX) && e.scrollWidth > e.clientWidth + 1) say(e, "cut at its side");
		if (/hidden|clip/.test(s.overflowY) && e.scrollHeight > e.clientHeight + 1) say(e, "cut at its end");
		if (e.tagName === "PRE" || /auto|scroll/.test(s.overflowX) && e.scrollWidth > e.clientWidth + 1 && e.tagName !== "CODE") say(e, "scrolls by itself");
	}
	return out;
})()`

// whole looks at the page that is open at 400 %: nothing is cut, nothing scrolls sideways, and the keyboard's stops are
// all in sight.
func (v *viewer) whole(name string) {
	v.t.Helper()
	for _, fault := range append(rig.Eval[[]string](v.Chromium, cutAtZoom), v.Walk()...) {
		v.t.Errorf("%s at 400 %%: %s", name, fault)
	}
	v.quiet(name)
}

// UX section 4, 12; WCAG 2.2 1.4.4, 1.4.10, 2.4.11: every page of the gateway in a window of 1280 x 1024 at 400 %. It
// is the browser's own zoom, that of its menu; a width of 320 alone would not show what the zoom does to a page beside
// that.
func TestEveryPageIsWholeAt400Percent(t *testing.T) {
	s := factorPages.open(t)
	v := &viewer{rig.Browser(t, rig.BrowserOptions{Gateway: s.g, Zoom: 4, Look: rig.Look{Width: 1280, Height: 1024}}), t,
		s.g, false}
	v.InEveryPage(tellsRequests)
	device := v.NewAuthenticator()
	f := v.member(s, "a-person-with-quite-a-long-user-name-", "staff")
	link := v.at("app", "/orders?id=7")
	v.Open(link)
	v.WaitText("h1", "Sign in")
	if width := rig.Eval[[]float64](v.Chromium, "[innerWidth, devicePixelRatio]"); width[0] != 320 || width[1] != 4 {
		t.Fatalf("width and ratio are %v", width)
	}
	v.whole("login")
	rig.Eval[bool](v.Chromium, `(document.querySelector(".lead").style.cssText = "white-space:nowrap", true)`)
	if found := rig.Eval[[]string](v.Chromium, cutAtZoom); len(found) < 2 {
		t.Errorf("control: a line that does not wrap is %q", found)
	}
	v.signIn(f.name, "not the password")
	v.WaitVisible(".summary")
	v.whole("wrong password")
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Your account needs a second factor")
	v.whole("choice of a factor")
	device.Present(true)
	v.Click("a.choice[href*='enrol=passkey']")
	v.WaitText("h1", "Add a passkey")
	v.whole("required passkey")
	v.Click("a.linkish[href*='enrol=choose']")
	v.Click("a.choice[href*='enrol=totp']")
	_, f.key = v.scan()
	v.whole("required app")
	v.Fill("#code", "000000")
	v.submit()
	v.WaitVisible(".summary")
	v.whole("wrong code of a set-up")
	v.Fill("#code", f.code())
	v.submit()
	v.WaitText("h1", "Save your recovery codes")
	v.whole("required recovery codes")
	f.recovery = v.codes()
	v.finish()
	v.lands(link)

	v.Open(v.at("app", "/.truxe/account/passkeys"))
	v.WaitText("h1", "Passkeys")
	v.whole("no passkey")
	v.Click(passkeyButton)
	v.WaitText("main .note", "Your passkey is ready.")
	v.whole("passkey added")
	for _, path := range []string{"", "account", "account/profile", "account/password", "account/totp",
		"account/totp?remove=1", "account/recovery-codes",
		"account/recovery-codes?new=1", "account/passkeys", "account/devices", "account/activity", "account/sessions",
		"logout", "nothing-here"} {
		v.Open(v.at("app", "/.truxe/"+path))
		v.WaitVisible("h1")
		v.whole(path)
	}
	v.Open(v.at("app", "/.truxe/account/passkeys"))
	for _, ask := range []string{"rename=", "remove="} {
		v.Click("a[href*='" + ask + "']")
		v.WaitVisible(".ask")
		v.whole(ask)
		v.Click(".ask a")
		v.WaitVisible("a[href*='rename=']")
	}
	v.Open(v.at("vault", "/orders"))
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Enter your code") // its passkey is the other host's
	v.whole("code")
	v.Click("a.way[href*='method=recovery_code']")
	v.WaitText("h1", "Enter a recovery code")
	v.whole("recovery code")
	v.Fill("#code", f.rescue())
	v.submit()
	v.WaitText("h1", "9 recovery codes left")
	v.whole("recovery code used")
	v.Click("main a.button")
	v.WaitText("h1", "Orders")

	s.stale(f.name)
	v.Forget()
	v.Click("form button")
	v.WaitText("h1", "Confirm it's you first.")
	v.whole("step-up in place")
	v.Open(v.at("app", "/.truxe/account/totp?remove=1"))
	v.WaitText("h1", "Confirm it's you")
	v.whole("confirm")
	v.Open(link)
	s.cli("sessions", "revoke", "--user", f.name, "--yes")
	v.Click("form button")
	v.WaitText("h1", "Your session ended.")
	v.whole("session ended")
	v.loginPage(device, link)
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Use your passkey")
	v.whole("second step by passkey")
	v.Click("form.startover button")
	v.WaitText("h1", "Sign in")
	v.signIn("pia", piaPassword)
	v.lands(link)
	v.signOut("app", v.whole)
}

// UX section 3 and 4, 6: on paper the recovery codes are there, with what they are for, and nothing else of the page;
// they fit on one sheet.
func TestRecoveryCodesArePrinted(t *testing.T) {
	ways(t, func(t *testing.T, plain bool) {
		s := factorPages.open(t)
		v := s.view(t, plain)
		f := v.member(s, "paul")
		v.Open(v.at("app", "/.truxe/account/totp"))
		v.signIn(f.name, f.password)
		_, f.key = v.scan()
		v.Fill("#code", f.code())
		v.submit()
		v.WaitText("h1", "Save your recovery codes")
		codes := v.codes()
		if !plain { // the button asks the browser to print
			rig.Eval[bool](v.Chromium, `(window.print = () => { window.printed = true }, true)`)
			v.TabTo("[data-print]")
			v.Press(kb.Enter)
			if !rig.Eval[bool](v.Chromium, "window.printed === true") {
				t.Error("Print does not print")
			}
		}
		if _, err := chromedp.Call(v.Ctx, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Media: "print"}); err != nil {
			t.Fatal(err)
		}
		paper := v.Text("body")
		for _, want := range append([]string{f.name, "app.example.com"}, codes...) {
			if strings.Count(paper, want) != 1 {
				t.Errorf("the paper has %s %d times:\n%s", want, strings.Count(paper, want), paper)
			}
		}
		for _, not := range []string{"Account", "Devices", "Sign out", "Download", "Copy", "Print", "Finish", "I've saved"} {
			if strings.Contains(paper, not) {
				t.Errorf("the paper has %q:\n%s", not, paper)
			}
		}
		if seen := rig.Eval[int](v.Chromium,
			`[...document.querySelectorAll("nav,header,footer,form,button,input,a")].filter(e => e.checkVisibility()).length`); seen != 0 {
			t.Errorf("%d parts of the page are on paper:\n%s", seen, paper)
		}
		pdf, err := chromedp.Call(v.Ctx, page.PrintToPDF, page.PrintToPDFParams{})
		if err != nil {
			t.Fatal(err)
		}
		if sheets := len(pdfPage.FindAll(pdf.Data, -1)); sheets != 1 {
			t.Errorf("%d sheets in %d bytes: %s…", sheets, len(pdf.Data),
				base64.StdEncoding.EncodeToString(pdf.Data[:min(60, len(pdf.Data))]))
		}
		v.quiet("print")
	})
}

var pdfPage = regexp.MustCompile(`/Type\s*/Page\b[^s]`)
