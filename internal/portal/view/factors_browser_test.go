package view_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/test/rig"
)

// passkeyServer replaces the core: it hands out options and keeps what the module sends.
type passkeyServer struct {
	mu      sync.Mutex
	exclude []string // ids that must not be added again
	refuse  string   // a problem's JSON instead of an answer
	sent    chan string
}

func (s *passkeyServer) begin(w http.ResponseWriter, options map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if s.refuse != "" {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(s.refuse))
		return
	}
	var exclude []map[string]string
	for _, id := range s.exclude {
		exclude = append(exclude, map[string]string{"type": "public-key", "id": id})
	}
	if options["user"] != nil && exclude != nil {
		options["excludeCredentials"] = exclude
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"publicKey": options})
}

// passkeys are the routes that the pages' module talks to.
func (p *preview) passkeys(mux *http.ServeMux) *passkeyServer {
	s := &passkeyServer{sent: make(chan string, 8)}
	mux.HandleFunc("POST /.truxe/api/v1/login/passkey/begin", func(w http.ResponseWriter, _ *http.Request) {
		s.begin(w, map[string]any{"challenge": "c2lnbiBpbiBjaGFsbGVuZ2U", "rpId": "localhost", "userVerification": "required",
			"timeout": 60000})
	})
	mux.HandleFunc("POST /.truxe/api/v1/mfa/passkeys/begin", func(w http.ResponseWriter, _ *http.Request) {
		s.begin(w, map[string]any{"challenge": "YWRkaW5nIGNoYWxsZW5nZQ",
			"rp":               map[string]string{"id": "localhost", "name": "Truxe"},
			"user":             map[string]string{"id": "YWxpY2U", "name": "alice", "displayName": "Alice Archer"},
			"pubKeyCredParams": []map[string]any{{"type": "public-key", "alg": -7}}, "timeout": 60000,
			"authenticatorSelection": map[string]any{"residentKey": "required", "requireResidentKey": true,
				"userVerification": "required"}})
	})
	mux.HandleFunc("POST /.truxe/api/v1/mfa/passkeys/finish", func(w http.ResponseWriter, req *http.Request) {
		var made struct {
			ID       string
			Response struct{ AttestationObject, ClientDataJSON string }
		}
		err := json.NewDecoder(req.Body).Decode(&made)
		s.sent <- fmt.Sprint("added ", err == nil && made.ID != "" && made.Response.AttestationObject != "" &&
			made.Response.ClientDataJSON != "")
		s.mu.Lock()
		s.exclude = append(s.exclude, made.ID)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"id": "k7", "name": "Chrome on Linux"})
	})
	return s
}

// signed reads the form that a passkey sends: its JSON, and whether name and password came along.
func signed(t *testing.T, form map[string][]string) string {
	t.Helper()
	var got struct {
		ID, Type string
		Response struct{ AuthenticatorData, ClientDataJSON, Signature, UserHandle string }
	}
	if err := json.Unmarshal([]byte(strings.Join(form["passkey"], "")), &got); err != nil {
		t.Fatalf("passkey field %q: %v", form["passkey"], err)
	}
	return fmt.Sprint(got.Type, " ", got.Response.Signature != "", " ", got.Response.UserHandle)
}

// The passkeys of a person in a real browser: add, the same device again, without user verification, cancelled, a
// step-up in between; sign in by button and by the browser's own list, which does not disturb a password.
func TestPasskeysInChromium(t *testing.T) {
	p := newPreview(t)
	site := strings.Replace(p.URL, "127.0.0.1", "localhost", 1) // passkeys need a name
	b := rig.Window(t, rig.BrowserOptions{})
	device := b.NewAuthenticator()
	say := func(want string) {
		t.Helper()
		rig.WaitFor(t, 8*time.Second, want, func() bool {
			return strings.Contains(rig.Eval[string](b, `document.querySelector("#passkey-said")?.textContent ?? ""`), want)
		})
	}

	device.Present(true)
	b.Open(site + "/s/passkeys-none")
	b.Click("[data-passkey-button]")
	b.WaitLocation("/.truxe/account/passkeys?added=k7")
	if got := <-p.passkey.sent; got != "added true" {
		t.Fatalf("the module sent %s", got)
	}
	if n := len(device.Credentials()); n != 1 || !device.Credentials()[0].IsResidentCredential {
		t.Fatalf("the device holds %d passkeys", n)
	}

	b.Open(site + "/s/passkeys")
	b.Click("[data-passkey-button]")
	say("This device already has a passkey for your account.")
	p.passkey.mu.Lock()
	p.passkey.exclude, p.passkey.refuse = nil, `{"code":"step_up_required"}`
	p.passkey.mu.Unlock()
	b.Click("[data-passkey-button]")
	b.WaitLocation("/.truxe/confirm")
	p.passkey.mu.Lock()
	p.passkey.refuse = `{"code":"rate_limited","detail":"Too many tries. Wait, then try again."}`
	p.passkey.mu.Unlock()
	b.Open(site + "/s/passkeys")
	b.Click("[data-passkey-button]")
	say("Too many tries. Wait, then try again.")
	p.passkey.mu.Lock()
	p.passkey.refuse = ""
	p.passkey.mu.Unlock()

	// The second step, by button.
	b.Open(site + "/s/mfa-passkey")
	device.Verified(false)
	b.Click("[data-passkey-button]")
	say("The passkey prompt was closed, or the device couldn't check it's you.")
	device.Verified(true)
	b.Click("[data-passkey-button]")
	b.WaitLocation("/.truxe/mfa")
	if got := signed(t, <-p.form); got != "public-key true YWxpY2U" {
		t.Errorf("second step: %s", got)
	}

	// The login page: the browser's own list, a password while it waits, the button while it waits.
	b.Open(site + "/s/login-passkey")
	b.WaitLocation("/.truxe/login")
	if got := signed(t, <-p.form); got != "public-key true YWxpY2U" {
		t.Errorf("conditional: %s", got)
	}
	device.Present(false)
	b.Open(site + "/s/login-passkey")
	b.Fill("#username", "alice")
	b.Fill("#password", "correct horse battery")
	b.Click(".form [type=submit]")
	b.WaitLocation("/.truxe/login")
	if form := <-p.form; fmt.Sprint(form["passkey"], form["password"]) != "[] [correct horse battery]" {
		t.Errorf("a password next to a waiting passkey: %v", form)
	}
	b.InEveryPage(`{ const get = navigator.credentials.get; navigator.credentials.get = async function (o) {
		window.asked = o.mediation ?? "button";
		if (!o.mediation) await new Promise(go => { window.there = go });
		return get.call(this, o) } }`)
	b.Open(site + "/s/login-passkey")
	b.WaitEval(8*time.Second, "the browser's own list asks, with no user at the device", `window.asked === "conditional"`)
	b.Click("[data-passkey-button]") // before a user is at the device: otherwise the list could answer first
	b.WaitEval(8*time.Second, "the button asks", `window.asked === "button" && !!window.there`)
	device.Present(true)
	rig.Eval[bool](b, "(setTimeout(there, 20), true)")
	b.WaitLocation("/.truxe/login")
	if got := signed(t, <-p.form); got != "public-key true YWxpY2U" {
		t.Errorf("by button: %s", got)
	}
	for _, c := range b.Complaints() {
		t.Errorf("%s: %s", c.Kind, c.Text)
	}
}

// Without JavaScript no page leads to a button that does nothing.
func TestPasskeyPagesSayThatTheyNeedJavaScript(t *testing.T) {
	p := newPreview(t)
	off := rig.Window(t, rig.BrowserOptions{NoJavaScript: true})
	for story, want := range map[string]string{"mfa-passkey": "Passkeys need JavaScript",
		"passkeys-none": "Adding a passkey needs JavaScript", "confirm-passkey": "Passkeys need JavaScript",
		"login-passkey": "Sign in"} {
		off.Open(p.URL + "/s/" + story)
		if text := off.Text("main"); !strings.Contains(text, want) {
			t.Errorf("%s says %q", story, text)
		}
		if rig.Eval[bool](off, `[...document.querySelectorAll("[data-passkey-button]")].some(b => b.checkVisibility())`) {
			t.Errorf("%s shows a button that does nothing", story)
		}
	}
}

// UX section 4, 4: "123 456" pasted sends itself, once; after a wrong code the field waits; without JavaScript the hint
// does not promise it and the button does the work.
func TestCodeSendsItselfOnce(t *testing.T) {
	p := newPreview(t)
	b := rig.Window(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/mfa-wrong")
	b.WaitVisible("#code-hint")
	if got := rig.Eval[string](b,
		`document.querySelector("#code").getAttribute("aria-describedby")`); !strings.Contains(got, "code-error") ||
		!strings.Contains(got, "code-hint") {
		t.Errorf("described by %q", got)
	}
	b.Fill("#code", "12345")
	rig.Eval[bool](b,
		`document.addEventListener("submit", () => sessionStorage.setItem("sent", 1 + Number(sessionStorage.getItem("sent")))) || true`)
	rig.Eval[bool](b,
		`(i => { i.value = "123 456"; i.dispatchEvent(new Event("input")); i.dispatchEvent(new Event("input")); return true })(document.querySelector("#code"))`)
	b.WaitLocation("/.truxe/mfa")
	// and not five digits
	if form := <-p.form; fmt.Sprint(form["code"], form["method"], form["trust"]) != "[123 456] [totp] [on]" {
		t.Errorf("form %v", form)
	}
	if n := rig.Eval[string](b, `sessionStorage.getItem("sent")`); n != "1" {
		t.Errorf("it was sent %s times", n)
	}
	off := rig.Window(t, rig.BrowserOptions{NoJavaScript: true})
	off.Open(p.URL + "/s/mfa")
	if strings.Contains(off.Text("main"), "as soon as") {
		t.Error("without JavaScript the page promises to send by itself")
	}
	off.Fill("#code", "123456")
	off.Click(".form [type=submit]")
	off.WaitLocation("/.truxe/mfa")
	if form := <-p.form; fmt.Sprint(form["code"]) != "[123456]" {
		t.Errorf("without JavaScript: %v", form)
	}
}

// UX section 4, 6: copy and print hold the codes and nothing else of the page.
func TestRecoveryCodesAreCopiedAndPrinted(t *testing.T) {
	p := newPreview(t)
	b := rig.Window(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/codes-new")
	rig.Eval[bool](b, `(navigator.clipboard.writeText = async s => { window.copied = s }) && true`)
	b.Click("[data-copy=codes]")
	rig.WaitFor(t, 5*time.Second, "Copied", func() bool { return b.Text(".copied") == "Copied" })
	if got := rig.Eval[string](b, `window.copied`); got != strings.Join(exampleCodes, "\n") {
		t.Errorf("copied %q", got)
	}
	if _, err := chromedp.Call(b.Ctx, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Media: "print"}); err != nil {
		t.Fatal(err)
	}
	shown := rig.Eval[string](b,
		`[...document.querySelectorAll("body *")].filter(e => e.checkVisibility() && e.children.length === 0 && e.textContent.trim()).map(e => e.textContent.trim()).join("|")`)
	for _, want := range append([]string{"alice"}, exampleCodes...) {
		if !strings.Contains(shown, want) {
			t.Errorf("the print has not %s", want)
		}
	}
	for _, not := range []string{"Account", "Sign out", "Download", "Finish", "saved these"} {
		if strings.Contains(shown, not) {
			t.Errorf("the print has %q: %s", not, shown)
		}
	}
}

// A step-up in another tab is heard; the page does not take the present session for it.
func TestStepUpIsHeardInTheOtherTab(t *testing.T) {
	p := newPreview(t)
	p.session.Store(`{"authenticated":true,"username":"alice"}`)
	b := rig.Window(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/step-up")
	// after the page's own
	rig.Eval[bool](b, `!!(new BroadcastChannel("truxe").onmessage = () => { window.heard = true })`)
	b.NewTab().Open(p.URL + "/s/go-back")
	rig.WaitFor(t, 5*time.Second, "the tab to hear of the sign-in",
		func() bool { return rig.Eval[bool](b, "window.heard === true") })
	if got := rig.Eval[string](b, `document.querySelector("#other-tab").textContent`); got != "" {
		t.Errorf("before the step-up it says %q", got)
	}
	b.NewTab().Open(p.URL + "/s/confirmed")
	rig.WaitFor(t, 5*time.Second, "the form to hear of the step-up",
		func() bool { return strings.Contains(b.Text("#other-tab"), "Confirmed. Now submit again.") })
}

// The keyboard goes from the code to its button, and shows where it is.
func TestFocusGoesInOrderAndIsSeen(t *testing.T) {
	p := newPreview(t)
	b := rig.Window(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/totp")
	b.Do(chromedp.SendKeys(chromedp.CSS("#code"), kb.Tab))
	if got := rig.Eval[string](b,
		`document.activeElement.type + " " + getComputedStyle(document.activeElement).outlineStyle`); got != "submit solid" {
		t.Errorf("after the code the focus is at %q", got)
	}
}

// The page of passkeys tells the browser which ones still exist; the login page, which one is unknown.
func TestBrowserIsToldWhichPasskeysExist(t *testing.T) {
	r := renderer(t, view.Brand{})
	body := get(r, site, 200, view.Passkeys{Viewer: alice,
		Signal: view.PasskeySignal{RPID: "auth.example.com", UserID: "dXNlcg"}}).Body.String()
	if want := `data-signal="{&#34;rpId&#34;:&#34;auth.example.com&#34;,&#34;userId&#34;:&#34;dXNlcg&#34;,&#34;allAcceptedCredentialIds&#34;:[]}"`; !strings.Contains(body, want) {
		t.Error("the passkeys page does not say that none is left")
	}
	if strings.Contains(get(r, site, 200, view.Passkeys{Viewer: alice}).Body.String(), "data-signal") {
		t.Error("control: a page without a signal has one")
	}
}
