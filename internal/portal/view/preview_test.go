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

func TestRightToLeftFlipsTheLayout(t *testing.T) {
	p := newPreview(t)
	b := rig.Window(t, rig.BrowserOptions{})
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
		b := rig.Window(t, rig.BrowserOptions{NoJavaScript: off})
		b.Open(p.URL + "/s/continue")
		b.WaitLocation("/held#/d/7")
	}
}

// UX section 2: after a failure the summary has the focus, the name is kept and the password is empty.
func TestFailureIsAnnounced(t *testing.T) {
	p := newPreview(t)
	for _, off := range []bool{false, true} {
		b := rig.Window(t, rig.BrowserOptions{NoJavaScript: off})
		b.Open(p.URL + "/s/login-wrong")
		rig.WaitFor(t, 5*time.Second, "the summary has the focus", func() bool {
			return rig.Eval[string](b, `document.activeElement.getAttribute("role") ?? ""`) == "alert"
		})
		got := rig.Eval[string](b,
			`document.querySelector("#username").value + "|" + document.querySelector("#password").value + "|" + document.title`)
		if got != "alice||Error: Sign in · Truxe" {
			t.Errorf("JavaScript off %v: %q", off, got)
		}
	}
	b := rig.Window(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/login")
	rig.WaitFor(t, 5*time.Second, "control: without a failure the first field has the focus",
		func() bool { return rig.Eval[string](b, `document.activeElement.id`) == "username" })
}

func TestRevealIsHiddenAgainOnSubmit(t *testing.T) {
	p := newPreview(t)
	b := rig.Window(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/login#/dashboard/7?a=b")
	b.Fill("#username", "alice")
	b.Fill("#password", "correct horse battery")
	b.Click(".reveal")
	if got := rig.Eval[string](b,
		`document.querySelector("#password").type + document.querySelector(".reveal").ariaPressed`); got != "texttrue" {
		t.Errorf("revealed: %q", got)
	}
	rig.Eval[bool](b,
		`document.querySelector("form").addEventListener("submit", e => { document.title = document.querySelector("#password").type; }) || true`)
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
	if fmt.Sprint(form["fragment"], form["username"],
		form["password"]) != "[/dashboard/7?a=b] [alice] [correct horse battery]" {
		t.Errorf("form %v", form)
	}
}

func TestSetupCodeLeavesTheAddressBar(t *testing.T) {
	p := newPreview(t)
	b := rig.Window(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/setup#t=4h1-secret")
	rig.WaitFor(t, 5*time.Second, "the code in the form", func() bool {
		return rig.Eval[string](b, `document.querySelector("#token").value`) == "4h1-secret"
	})
	if at := b.Location(); strings.Contains(at, "4h1") {
		t.Errorf("the address bar still has the code: %s", at)
	}
	off := rig.Window(t, rig.BrowserOptions{NoJavaScript: true})
	off.Open(p.URL + "/s/setup")
	if !strings.Contains(off.Text("main"), "caddy truxe setup") {
		t.Error("without JavaScript the page does not say where the code is")
	}
}

// UX section 2, Tabs: a waiting sign-in goes on, a page of a user who is signed out says so.
func TestTabsHearOfEachOther(t *testing.T) {
	p := newPreview(t)
	b := rig.Window(t, rig.BrowserOptions{})
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
	b := rig.Window(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/ended")
	b.WaitVisible("[data-resubmit]")
	b.Open(p.URL + "/s/ended-cross")
	if n := rig.Eval[int](b, `document.querySelectorAll("[data-resubmit]").length`); n != 0 {
		t.Error("a form of another site can be submitted again")
	}
	off := rig.Window(t, rig.BrowserOptions{NoJavaScript: true})
	off.Open(p.URL + "/s/ended")
	if text := off.Text("main"); !strings.Contains(text, "reload this page") || strings.Contains(text, "Submit again") {
		t.Errorf("without JavaScript: %s", text)
	}
}

func TestCopyCountdownAndLocalTimes(t *testing.T) {
	p := newPreview(t)
	b := rig.Window(t, rig.BrowserOptions{})
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
