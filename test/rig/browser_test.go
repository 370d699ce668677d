package rig_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// pages serves a clean page, one that breaks its CSP and one that users of a screen reader cannot use.
const pages = `
app.example.com {
	header Content-Type "text/html; charset=utf-8"
	header Content-Security-Policy "default-src 'none'; style-src 'self'; form-action 'self'; require-trusted-types-for 'script'"
	respond /bad <<HTML
		<!doctype html><html lang="en"><title>Bad</title><main><h1>Bad</h1><p style="color:red">styled</p><img src="https://other.example.com/x.png" alt="x"></main></html>
		HTML
	respond /unlabelled <<HTML
		<!doctype html><html><title>U</title><main><h1>U</h1><form><input type="text"></form></main></html>
		HTML
	respond <<HTML
		<!doctype html><html lang="en"><title>Good</title><main><h1>Good</h1><form><label for="n">Name</label><input id="n" name="n"><button>Go</button></form></main></html>
		HTML
}
`

func TestBrowserSeesPagesViolationsAndBarriers(t *testing.T) {
	g := rig.Gateway(t, rig.Options{Caddyfile: pages})
	b := rig.Browser(t, rig.BrowserOptions{Gateway: g, Look: rig.Look{Dark: true, Width: 360, Height: 640}})

	b.Open("https://app.example.com/")
	if got := b.Text("h1"); got != "Good" {
		t.Fatalf("h1 %q", got)
	}
	if p := b.Problems("csp", "exception", "console"); len(p) != 0 {
		t.Errorf("the clean page complains: %v", p)
	}
	if f := rig.Serious(b.Axe()); len(f) != 0 {
		t.Errorf("the clean page has barriers: %v", f)
	}
	if got := rig.Eval[string](b,
		`matchMedia("(prefers-color-scheme: dark)").matches + " " + innerWidth`); got != "true 360" {
		t.Errorf("dark and width: %q", got)
	}
	b.Fill("#n", "alice")
	b.Click("button")
	b.WaitLocation("n=alice")
	t.Setenv("TRUXE_SCREENSHOTS", t.TempDir())
	b.Screenshot("good")

	b.Forget()
	b.Open("https://app.example.com/bad")
	rig.WaitFor(t, 5*time.Second, "two CSP violations", func() bool { return len(b.Problems("csp")) >= 2 })

	b.Open("https://app.example.com/unlabelled")
	if f := rig.Serious(b.Axe()); len(f) < 2 {
		t.Errorf("no language and no label, but axe-core finds %v", f)
	}
}

func TestBrowserWithoutJavaScriptKeepsItsCookiesAndCSPReports(t *testing.T) {
	const site = `localhost {
		header Content-Type "text/html; charset=utf-8"
		header Content-Security-Policy "style-src 'self'"
		header Set-Cookie "__Host-x=1; Secure; HttpOnly; Path=/; SameSite=Lax"
		respond <<HTML
			<!doctype html><html lang="en"><title>T</title><h1>{http.request.cookie.__Host-x}</h1><p style="color:red">off</p><a href="/next">next</a>
			<script>document.querySelector("p").textContent = "on"</script></html>
			HTML
	}`
	g := rig.Gateway(t, rig.Options{Caddyfile: site})
	for _, off := range []bool{true, false} {
		t.Run(fmt.Sprintf("off=%v", off), func(t *testing.T) {
			b := rig.Browser(t, rig.BrowserOptions{Gateway: g, NoJavaScript: off})
			b.Open(g.URL("/"))
			if got, want := b.Text("p"), map[bool]string{true: "off", false: "on"}[off]; got != want {
				t.Errorf("the script says %q, want %q", got, want)
			}
			b.Click("a")
			b.WaitLocation("/next")
			if got := b.Text("h1"); got != "1" {
				t.Errorf("the cookie came back as %q", got)
			}
			if len(b.Problems("csp")) == 0 {
				t.Error("the style attribute breaks the CSP, but no violation was seen")
			}
			if off {
				_ = b.Axe()
			}
			tab := b.NewTab()
			tab.Open(g.URL("/"))
			if got := tab.Text("h1"); got != "1" {
				t.Errorf("a further tab has the cookie %q", got)
			}
		})
	}
}

func TestWindowsOfOneBrowserHaveCookiesAndLooksOfTheirOwn(t *testing.T) {
	const site = `localhost {
		header Content-Type "text/html; charset=utf-8"
		header Set-Cookie "__Host-x=1; Secure; HttpOnly; Path=/"
		respond /assets/gone.js "" 404
		respond <<HTML
			<!doctype html><html lang="en"><title>T</title><h1>cookie {http.request.cookie.__Host-x}</h1><script type="module" src="{query.load}"></script></html>
			HTML 401
	}`
	g := rig.Gateway(t, rig.Options{Caddyfile: site})
	one, other := rig.Window(t, rig.BrowserOptions{}), rig.Window(t, rig.BrowserOptions{})
	for range 2 {
		one.Open(g.URL("/"))
	}
	other.Open(g.URL("/"))
	if a, b := one.Text("h1"), other.Text("h1"); a != "cookie 1" || b != "cookie" {
		t.Errorf("cookies %q and %q, want them apart", a, b)
	}
	const seen = `matchMedia("(prefers-color-scheme: dark)").matches + " " + innerWidth + "x" + innerHeight`
	one.Show(rig.Look{Dark: true, Width: 360, Height: 740})
	if a, b := rig.Eval[string](one, seen), rig.Eval[string](other, seen); a != "true 360x740" || b != "false 1280x800" {
		t.Errorf("looks %q and %q", a, b)
	}
	if p := one.Complaints(); len(p) != 0 {
		t.Errorf("a page that is 401 is no reason to complain: %v", p)
	}
	one.Open(g.URL("/?load=%2Fassets%2Fgone.js"))
	rig.WaitFor(t, 5*time.Second, "the missing script is told", func() bool { return len(one.Complaints()) == 1 })
}

// What Walk looks for is found where it is: a stop without a ring, one that is covered, one in the wrong place, one out
// of turn, and one that the keyboard does not reach. A page without faults has none.
func TestKeyboardFaultsAreSeen(t *testing.T) {
	b := rig.Window(t, rig.BrowserOptions{})
	const well = `<style>:focus-visible{outline:2px solid red}</style><a href="/one">One</a><p><input id=two></p><p><button>Three</button></p>`
	for fault, page := range map[string]string{
		"":                      well,
		"nothing shows":         well + `<style>button:focus-visible{outline:0}</style>`,
		"it is covered by":      well + `<div style="position:fixed;inset:0 0 auto;height:40%"></div>`,
		"on the wrong side":     well + `<p style="position:absolute;top:0;margin:0"><button>First</button></p>`,
		"it jumps the queue":    well + `<p><button tabindex=1>First</button></p>`,
		"the keyboard stops at": well + `<script>document.querySelector("button").onfocus = e => e.target.blur()</script>`,
	} {
		b.Open("data:text/html;base64," +
			base64.StdEncoding.EncodeToString([]byte("<!doctype html><body style='margin:30px'>"+page)))
		found := strings.Join(b.Walk(), "\n")
		if !strings.Contains(found, fault) || (fault == "") != (found == "") {
			t.Errorf("a page with %q has %q", fault, found)
		}
	}
}
