package test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// factorPages is the gateway whose pages of second factors the browser stories share: an app, one that asks for a fresh
// second factor, and staff who must have one.
var factorPages = share(plot{
	options: "rate_limit login 1000 5m\n\t\trate_limit address 10000 5m\n\t\tmfa required for role staff",
	sites: site("app.example.com", "\ttruxe"+appPage) + site("vault.example.com",
		"\ttruxe {\n\t\trequire mfa max_age 5m\n\t}"+appPage),
})

var members atomic.Int32

// member is a person of a browser story, with a name of its own each time it is told.
func (v *viewer) member(s *story, name string, roles ...string) *factor {
	v.t.Helper()
	name += strconv.Itoa(int(members.Add(1)))
	f := &factor{s: s, host: "app.example.com", name: name, password: piaPassword}
	s.user(f.name, f.password, roles...)
	return f
}

// scan reads the QR code that the page shows, module by module as the browser paints them, and gives its URI and key.
func (v *viewer) scan() (uri, key string) {
	v.t.Helper()
	v.WaitVisible("svg.qr")
	rows := rig.Eval[[]string](v.Chromium, `(svg => {
		const margin = 4, n = svg.viewBox.baseVal.width - 2 * margin, dark = svg.querySelector("path[fill='#000']"), at = [...Array(n).keys()];
		return at.map(y => at.map(x => dark.isPointInFill(new DOMPoint(x + margin + .5, y + margin + .5)) ? "#" : ".").join(""));
	})(document.querySelector("svg.qr"))`)
	modules := make([][]bool, len(rows))
	for y, row := range rows {
		for _, m := range row {
			modules[y] = append(modules[y], m == '#')
		}
	}
	uri, err := rig.ReadQR(modules)
	if err != nil {
		v.t.Fatalf("read the QR code: %v\n%s", err, strings.Join(rows, "\n"))
	}
	u, err := url.Parse(uri)
	if err != nil {
		v.t.Fatal(err)
	}
	return uri, u.Query().Get("secret")
}

// paste puts text into the page's code field in one go, as from the clipboard.
func (v *viewer) paste(text string) {
	v.t.Helper()
	v.WaitVisible("#code")
	v.Do(chromedp.Focus(chromedp.CSS("#code")))
	if _, err := chromedp.Call(v.Ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		v.t.Fatal(err)
	}
}

// typeCode types a code. A page of the second step sends it by itself, once; without JavaScript its button does.
func (v *viewer) typeCode(code string) {
	v.t.Helper()
	v.Fill("#code", code)
	if v.plain {
		v.submit()
	}
}

// enrolTOTP follows the three steps of the page that is open, and gives the codes that are shown then.
func (v *viewer) enrolTOTP(f *factor) []string {
	v.t.Helper()
	uri, key := v.scan()
	if typed := v.Text("#key"); unspaced(typed) != key || len(key) != 32 {
		v.t.Errorf("the picture's key is %q, the typed one %q", key, typed)
	}
	if link := rig.Eval[string](v.Chromium,
		`document.querySelector("a[href^='otpauth:']").getAttribute("href")`); link != uri {
		v.t.Errorf("the picture says %s, the link %s", uri, link)
	}
	v.Do(chromedp.Reload())
	if again, _ := v.scan(); again != uri {
		v.t.Errorf("a reload shows another key: %s, before %s", again, uri)
	}
	f.key = key
	v.Fill("#code", "000000")
	v.submit()
	v.WaitVisible(".summary")
	if again, _ := v.scan(); again != uri {
		v.t.Errorf("a wrong code makes another key: %s, before %s", again, uri)
	}
	v.quiet("wrong code of a set-up")
	v.Fill("#code", f.code())
	v.submit()
	v.WaitText("h1", "Save your recovery codes")
	v.quiet("recovery codes")
	f.recovery = v.codes()
	return f.recovery
}

// codes are the recovery codes on the page.
func (v *viewer) codes() []string {
	v.t.Helper()
	return rig.Eval[[]string](v.Chromium, `[...document.querySelectorAll("#codes code")].map(c => c.textContent)`)
}

// finish says that the codes are saved. The browser does not send the form before.
func (v *viewer) finish() {
	v.t.Helper()
	if rig.Eval[bool](v.Chromium, `document.querySelector("#saved").form.checkValidity()`) {
		v.t.Error("the form is sent without the box")
	}
	v.Click("#saved")
	v.Click("form:has(#saved) button[type=submit]")
}

var recoveryCode = regexp.MustCompile(`[2-9A-Z]{5}(?:-[2-9A-Z]{5}){3}`)

// UX section 4, 4, 5 and 6: the authenticator app of a person. MF-01 MF-02 MF-07 MF-10 MF-11
func TestAuthenticatorAppAndRecoveryCodesInTheBrowser(t *testing.T) {
	ways(t, func(t *testing.T, plain bool) {
		s := factorPages.open(t)
		v := s.view(t, plain)
		f := v.member(s, "iris")
		v.Open(v.at("app", "/.truxe/account/totp"))
		v.signIn(f.name, f.password)
		v.scan()
		s.login(f.host, f.name, f.password) // nothing is set up before a right code

		codes := v.enrolTOTP(f)
		if len(codes) != 10 {
			t.Fatalf("codes %q", codes)
		}
		file := v.download(t, "form:has([value=download]) button")
		if got := recoveryCode.FindAllString(file, -1); strings.Join(got, " ") != strings.Join(codes, " ") ||
			!strings.Contains(file, f.name) || !strings.Contains(file, f.host) {
			t.Errorf("the page has %q, the file\n%s", codes, file)
		}
		v.Do(chromedp.Reload())
		if again := v.codes(); strings.Join(again, " ") != strings.Join(codes, " ") {
			t.Errorf("a reload shows %q, before %q", again, codes)
		}
		v.finish()
		v.WaitText("main", "10 codes left")
		if text := v.Text("body"); recoveryCode.MatchString(text) {
			t.Errorf("codes are shown a second time: %s", text)
		}
		v.signOut("app", v.quiet)

		// "123 456", pasted.
		link, used := v.at("app", "/orders?id=7"), f.code()
		v.Open(link)
		v.signIn(f.name, f.password)
		v.WaitText("h1", "Enter your code")
		v.paste(used[:3] + " " + used[3:])
		if plain {
			v.submit()
		}
		v.lands(link)
		v.signOut("app", v.quiet)

		// The same again, and then the next one.
		v.Open(link)
		v.signIn(f.name, f.password)
		v.WaitText("h1", "Enter your code")
		v.typeCode(used)
		v.WaitText(".summary", "That code was already used. Wait for the next one.")
		v.failed("", "", "#code")
		v.quiet("replay")
		v.typeCode(f.code())
		v.lands(link)
		v.signOut("app", v.quiet)

		// A recovery code, in lower case and with spaces; then the same again.
		for i, want := range []string{"9 recovery codes left", "That recovery code didn't match. Each code works once."} {
			v.Open(link)
			v.signIn(f.name, f.password)
			v.WaitText("h1", "Enter your code")
			v.Click("a.way[href*='method=recovery_code']")
			v.WaitText("h1", "Enter a recovery code")
			if offered := rig.Eval[int](v.Chromium, `document.querySelectorAll("a.way").length`); offered != 1 {
				t.Errorf("%d other ways are offered, this person has one", offered)
			}
			v.Fill("#code", strings.ToLower(strings.ReplaceAll(codes[3], "-", " ")))
			v.submit()
			v.WaitText([]string{"h1", ".summary"}[i], want)
			v.quiet("recovery code")
			if i == 0 {
				v.Click("main a.button")
				v.lands(link)
				v.signOut("app", v.quiet)
			}
		}
		v.Click("form.startover button")
		v.WaitText("h1", "Sign in")
	})
}

// UX section 4, 5; R6: who must have a second factor sets it up within the sign-in and arrives where the link led.
func TestRequiredAppIsSetUpInTheBrowser(t *testing.T) {
	ways(t, func(t *testing.T, plain bool) {
		s := factorPages.open(t)
		v := s.view(t, plain)
		f := v.member(s, "stella", "staff")
		link := v.at("app", "/orders?id=7&q=a%20b")
		v.Open(link)
		v.signIn(f.name, f.password)
		v.WaitText("h1", "Your account needs a second factor")
		v.quiet("choice of a factor")
		v.Click("a.choice[href*='enrol=totp']")
		v.enrolTOTP(f)
		v.finish()
		v.lands(link)
	})
}

// MF-13: a change of factors asks for a fresh one on a page that says what for, and leads back; an app that asks for
// one answers a form in place, and the form is sent after all.
func TestStepUpInTheBrowser(t *testing.T) {
	s := factorPages.open(t)
	v := s.view(t, false)
	f := s.withTOTP("vault.example.com", "vera"+strconv.Itoa(int(members.Add(1))))
	f.host = "vault.example.com"
	form := v.at("vault", "/orders?id=7")
	v.Open(form)
	v.signIn(f.name, f.password)
	v.WaitText("h1", "Enter your code")
	v.Click("a.way[href*='method=recovery_code']")
	v.WaitText("h1", "Enter a recovery code")
	v.Fill("#code", f.rescue())
	v.submit()
	v.WaitText("h1", "9 recovery codes left")
	v.Click("main a.button")
	v.lands(form)
	s.stale(f.name)
	v.Forget() // what did not load meanwhile
	s.up.Forget()
	v.Click("form button")
	v.WaitText("h1", "Confirm it's you first.")
	if seen := s.up.Seen(); len(seen) != 0 {
		t.Fatalf("the app got %+v without a fresh factor", seen)
	}
	v.quiet("step-up in place")
	tab := &viewer{v.NewTab(), t, s.g, false}
	tab.Open(rig.Eval[string](v.Chromium, `document.querySelector(".actions a").href`))
	tab.WaitText("h1", "Confirm it's you to open vault.example.com")
	tab.Fill("#code", "000000")
	tab.WaitText(".summary", "That code didn't match.")
	tab.typeCode(f.code())
	tab.WaitText("main", "Go back to the other tab.")
	tab.quiet("confirmed")
	v.WaitText("#other-tab", "Confirmed. Now submit again.")
	v.Click("[data-resubmit]")
	v.WaitText("pre", "note=")
	if got := s.up.Last(); got.Method != "POST" || got.Body != "note=7+%C3%84pfel+%26+more" || len(s.up.Seen()) != 1 {
		t.Errorf("the app got %d forms, the last %s %q", len(s.up.Seen()), got.Method, got.Body)
	}
	v.quiet("app")

	s.stale(f.name)
	v.Forget()
	v.Open(v.at("vault", "/.truxe/account/totp?remove=1"))
	v.WaitText("h1", "Confirm it's you to remove your authenticator app")
	v.quiet("confirm")
	v.Click("form .actions a")
	v.WaitText("h2", "Your authenticator app is on")
	v.Open(v.at("vault", "/.truxe/account/totp?remove=1"))
	v.typeCode(f.code())
	v.WaitText(".ask h2", "Remove your authenticator app?")
	v.Click(".ask button.danger")
	v.WaitText("main .note", "Your authenticator app is removed.")
	v.quiet("app removed")
}

// download presses what sends a file and gives what is in it.
func (v *viewer) download(t *testing.T, selector string) string {
	t.Helper()
	return v.saves(t, func() { v.Click(selector) })
}

// saves returns the content of the file that the browser downloads.
func (v *viewer) saves(t *testing.T, ask func()) string {
	t.Helper()
	dir := v.Downloads()
	ask()
	var files []string
	rig.WaitFor(t, 8*time.Second, "a file", func() bool {
		files, _ = filepath.Glob(filepath.Join(dir, "*.txt"))
		return len(files) == 1
	})
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
