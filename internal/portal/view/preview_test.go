package view_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/test/rig"
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }

// preview serves every story at /s/<name>, and a session state that a test may change.
type preview struct {
	*httptest.Server
	session atomic.Value // JSON of {base}/api/v1/session, a string
	form    chan map[string][]string
	passkey *passkeyServer
}

func newPreview(t *testing.T) *preview {
	t.Helper()
	r := renderer(t, view.Brand{Support: "help@example.com"})
	r.PseudoLocales = true
	p := &preview{form: make(chan map[string][]string, 8)}
	p.session.Store(`{"authenticated":false}`)
	mux := http.NewServeMux()
	mux.Handle("/.truxe/assets/", r.Assets())
	mux.HandleFunc("/.truxe/api/v1/session", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(p.session.Load().(string)))
	})
	mux.HandleFunc("/held", func(w http.ResponseWriter, req *http.Request) {
		r.Render(w, req, http.StatusOK, view.SignedInGoBack{Host: "the app"})
	})
	p.passkey = p.passkeys(mux)
	for _, path := range []string{"login", "mfa", "confirm"} {
		mux.HandleFunc("/.truxe/"+path, func(w http.ResponseWriter, req *http.Request) {
			if _ = req.ParseForm(); path == "login" || req.Method == http.MethodPost {
				p.form <- req.PostForm
			}
			r.Render(w, req, http.StatusOK, view.SignedInGoBack{})
		})
	}
	mux.HandleFunc("/.truxe/account/", func(w http.ResponseWriter, req *http.Request) {
		r.Render(w, req, http.StatusOK, view.SignedInGoBack{})
	})
	for _, s := range stories() {
		mux.HandleFunc("/s/"+s.name, func(w http.ResponseWriter, req *http.Request) { r.Render(w, req, s.status, s.page) })
	}
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// complaints leaves out what the browser says of every 4xx and 5xx page.
func complaints(b *rig.Chromium) []rig.Problem {
	var out []rig.Problem
	for _, p := range b.Problems() {
		if p.Kind != "log" || !strings.Contains(p.Text, "the server responded with a status of") {
			out = append(out, p)
		}
	}
	return out
}

// CS-09 No page breaks its own policy in a real browser. UX section 4, 12 and 18: no barrier in light and dark, at a
// desk and on a phone; every page's picture is kept.
func TestEveryPageInChromium(t *testing.T) {
	p := newPreview(t)
	for _, mode := range []struct {
		name string
		o    rig.BrowserOptions
		lang string
		look bool // for the pictures and the policy alone: axe-core has seen these colours and this width
	}{
		{"light-1280", rig.BrowserOptions{}, "", false},
		{"dark-1280", rig.BrowserOptions{Dark: true}, "", false},
		{"light-360", rig.BrowserOptions{Width: 360, Height: 720}, "", false},
		{"dark-360", rig.BrowserOptions{Dark: true, Width: 360, Height: 720}, "", true},
		{"rtl-1280", rig.BrowserOptions{}, "ar-XB", false},
	} {
		t.Run(mode.name, func(t *testing.T) {
			b := rig.Browser(t, mode.o)
			for _, s := range stories() {
				if s.name == "continue" { // goes on at once; TestContinueGoesOnWithItsFragment follows it
					continue
				}
				b.Forget()
				b.Open(p.URL + "/s/" + s.name + "?lang=" + mode.lang)
				if !mode.look {
					for _, f := range rig.Serious(b.Axe()) {
						t.Errorf("%s: %s", s.name, f)
					}
				}
				for _, c := range complaints(b) {
					t.Errorf("%s: %s: %s", s.name, c.Kind, c.Text)
				}
				if os.Getenv("TRUXE_SCREENSHOTS") != "" {
					b.Screenshot("page-" + s.name + "-" + mode.name)
				}
			}
		})
	}
}

// WCAG 2.2 1.4.10 Reflow at 320 px, also with a language 40 % longer and from right to left; 2.5.8 nothing to press is
// smaller than 24 px.
func TestNothingScrollsSideways(t *testing.T) {
	p := newPreview(t)
	b := rig.Browser(t, rig.BrowserOptions{Width: 320, Height: 640})
	for _, lang := range []string{"", "en-XA", "ar-XB"} {
		for _, s := range stories() {
			if s.name == "continue" {
				continue
			}
			b.Open(p.URL + "/s/" + s.name + "?lang=" + lang)
			if over := rig.Eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				t.Errorf("%s %s is %d px too wide: %s", s.name, lang, over, rig.Eval[string](b,
					`[...document.querySelectorAll("main *,header *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 90)).slice(0, 3).join("\n")`))
			}
			small := rig.Eval[string](b, `[...document.querySelectorAll("button,a.button,input:not([type=hidden]),nav a")]
				.filter(e => e.checkVisibility()).filter(e => { const r = (e.type === "checkbox" ? e.parentElement : e).getBoundingClientRect(); return r.width < 24 || r.height < 44 })
				.map(e => e.outerHTML.slice(0, 90)).join("\n")`)
			if small != "" {
				t.Errorf("%s %s: too small to press: %s", s.name, lang, small)
			}
		}
	}
}

func TestRightToLeftFlipsTheLayout(t *testing.T) {
	p := newPreview(t)
	b := rig.Browser(t, rig.BrowserOptions{})
	const brandSide = `document.querySelector(".brand").getBoundingClientRect().x < document.querySelector(".who").getBoundingClientRect().x`
	const revealSide = `document.querySelector(".reveal").getBoundingClientRect().x > innerWidth / 2`
	for lang, want := range map[string]bool{"": true, "ar-XB": false} {
		b.Open(p.URL + "/s/account?lang=" + lang)
		if got := rig.Eval[bool](b, brandSide); got != want {
			t.Errorf("lang %q: brand left of the person is %v", lang, got)
		}
		b.Open(p.URL + "/s/login?lang=" + lang)
		if got := rig.Eval[bool](b, revealSide); got != want {
			t.Errorf("lang %q: reveal button on the right is %v", lang, got)
		}
	}
}

// UX section 1.1 The continue page leaves by its Refresh header, without JavaScript too, and keeps the fragment.
func TestContinueGoesOnWithItsFragment(t *testing.T) {
	p := newPreview(t)
	for _, off := range []bool{false, true} {
		b := rig.Browser(t, rig.BrowserOptions{NoJavaScript: off})
		b.Open(p.URL + "/s/continue")
		b.WaitLocation("/held#/d/7")
	}
}

// UX section 2: after a failure the summary has the focus, the name is kept and the password is empty.
func TestFailureIsAnnounced(t *testing.T) {
	p := newPreview(t)
	for _, off := range []bool{false, true} {
		b := rig.Browser(t, rig.BrowserOptions{NoJavaScript: off})
		b.Open(p.URL + "/s/login-wrong")
		got := rig.Eval[string](b, `document.activeElement.getAttribute("role") + "|" + document.querySelector("#username").value + "|" + document.querySelector("#password").value + "|" + document.title`)
		if got != "alert|alice||Error: Sign in · Truxe" {
			t.Errorf("JavaScript off %v: %q", off, got)
		}
	}
	b := rig.Browser(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/login")
	if id := rig.Eval[string](b, `document.activeElement.id`); id != "username" {
		t.Errorf("control: focus at %q", id)
	}
}

func TestRevealIsHiddenAgainOnSubmit(t *testing.T) {
	p := newPreview(t)
	b := rig.Browser(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/login#/dashboard/7?a=b")
	b.Fill("#username", "alice")
	b.Fill("#password", "correct horse battery")
	b.Click(".reveal")
	if got := rig.Eval[string](b, `document.querySelector("#password").type + document.querySelector(".reveal").ariaPressed`); got != "texttrue" {
		t.Errorf("revealed: %q", got)
	}
	rig.Eval[bool](b, `document.querySelector("form").addEventListener("submit", e => { document.title = document.querySelector("#password").type; }) || true`)
	rig.Eval[bool](b, `document.querySelector("form").addEventListener("submit", e => e.preventDefault()) || true`)
	b.Click(".form [type=submit]")
	if got := rig.Eval[string](b, `document.title`); got != "password" {
		t.Errorf("at submit the field is %q", got)
	}
	b.Open(p.URL + "/s/go-back") // or only the fragment would be the same, and nothing be loaded
	b.Open(p.URL + "/s/login#/dashboard/7?a=b")
	b.Fill("#username", "alice")
	b.Fill("#password", "correct horse battery")
	b.Click(".form [type=submit]")
	b.WaitLocation("/.truxe/login")
	form := <-p.form
	if fmt.Sprint(form["fragment"], form["username"], form["password"]) != "[/dashboard/7?a=b] [alice] [correct horse battery]" {
		t.Errorf("form %v", form)
	}
}

func TestSetupCodeLeavesTheAddressBar(t *testing.T) {
	p := newPreview(t)
	b := rig.Browser(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/setup#t=4h1-secret")
	rig.WaitFor(t, 5*time.Second, "the code in the form", func() bool {
		return rig.Eval[string](b, `document.querySelector("#token").value`) == "4h1-secret"
	})
	if at := b.Location(); strings.Contains(at, "4h1") {
		t.Errorf("the address bar still has the code: %s", at)
	}
	off := rig.Browser(t, rig.BrowserOptions{NoJavaScript: true})
	off.Open(p.URL + "/s/setup")
	if !strings.Contains(off.Text("main"), "caddy truxe setup") {
		t.Error("without JavaScript nobody says where the code is")
	}
}

// UX section 2, Tabs: a waiting sign-in goes on, a page of somebody who is signed out says so.
func TestTabsHearOfEachOther(t *testing.T) {
	p := newPreview(t)
	b := rig.Browser(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/login")
	account := b.NewTab()
	account.Open(p.URL + "/s/account")
	ended := b.NewTab()
	ended.Open(p.URL + "/s/ended")
	p.session.Store(`{"authenticated":true,"username":"alice"}`)
	b.NewTab().Open(p.URL + "/s/go-back")
	b.WaitLocation("/.truxe/login")
	rig.WaitFor(t, 5*time.Second, "the ended form to hear of the sign-in", func() bool {
		return strings.Contains(ended.Text("#other-tab"), "You're signed in as alice.")
	})
	if text := rig.Eval[string](account, `document.querySelector("#sync").textContent`); text != "" {
		t.Errorf("alice's own page says %q", text)
	}
	p.session.Store(`{"authenticated":false}`)
	b.NewTab().Open(p.URL + "/s/signed-out")
	rig.WaitFor(t, 5*time.Second, "the account page to hear of the sign-out", func() bool {
		return strings.Contains(account.Text("#sync"), "You've been signed out in another tab.")
	})
}

func TestSubmitAgainNeedsNoJavaScript(t *testing.T) {
	p := newPreview(t)
	b := rig.Browser(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/ended")
	b.WaitVisible("[data-resubmit]")
	b.Open(p.URL + "/s/ended-cross")
	if n := rig.Eval[int](b, `document.querySelectorAll("[data-resubmit]").length`); n != 0 {
		t.Error("a form of another site can be submitted again")
	}
	off := rig.Browser(t, rig.BrowserOptions{NoJavaScript: true})
	off.Open(p.URL + "/s/ended")
	if text := off.Text("main"); !strings.Contains(text, "reload this page") || strings.Contains(text, "Submit again") {
		t.Errorf("without JavaScript: %s", text)
	}
}

func TestCopyCountdownAndLocalTimes(t *testing.T) {
	p := newPreview(t)
	b := rig.Browser(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/login-limited")
	first := b.Text("[data-countdown]")
	rig.WaitFor(t, 6*time.Second, "the countdown", func() bool { return b.Text("[data-countdown]") != first })
	b.Open(p.URL + "/s/sessions")
	if rig.Eval[bool](b, `[...document.querySelectorAll("time")].some(t => t.textContent.includes("UTC"))`) {
		t.Error("times are not in the reader's zone")
	}
	b.Open(p.URL + "/s/denied")
	rig.Eval[bool](b, `(navigator.clipboard.writeText = async s => { window.copied = s }) && true`)
	b.Click(".copy")
	rig.WaitFor(t, 5*time.Second, "Copied", func() bool { return b.Text(".copied") == "Copied" })
	if got := rig.Eval[string](b, `window.copied`); got != "R-7KQ2-X9FD" {
		t.Errorf("copied %q", got)
	}
}

// Forced colours and reduced motion: what is pressed still has an edge, nothing moves.
func TestForcedColoursAndReducedMotion(t *testing.T) {
	p := newPreview(t)
	b := rig.Browser(t, rig.BrowserOptions{})
	if _, err := chromedp.Call(b.Ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "forced-colors", Value: "active"}, {Name: "prefers-reduced-motion", Value: "reduce"}}}); err != nil {
		t.Fatal(err)
	}
	b.Open(p.URL + "/s/login-wrong")
	if os.Getenv("TRUXE_SCREENSHOTS") != "" {
		b.Screenshot("page-login-wrong-forced-colours")
	}
	if got := rig.Eval[string](b, `getComputedStyle(document.querySelector(".button")).borderTopStyle`); got != "solid" {
		t.Errorf("button edge %q", got)
	}
	if got := rig.Eval[string](b, `getComputedStyle(document.querySelector(".button")).transitionDuration`); strings.Trim(got, "0s, ") != "" {
		t.Errorf("the button moves for %q", got)
	}
}
