package view_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/loopback"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/problem"
	"github.com/truxeio/caddy-truxe/test/rig"
)

func renderer(t testing.TB, b view.Brand) *view.Renderer {
	t.Helper()
	r, err := view.New(b, "/.truxe")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// get renders a page for a GET of url.
func get(r *view.Renderer, url string, status int, page view.Page) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.Render(w, httptest.NewRequest(http.MethodGet, url, nil), status, page)
	return w
}

const site = "https://grafana.example.com/.truxe/x"

// CS-09 Every page has a policy without unsafe-inline and unsafe-eval; only the framed page may be in a frame, and only
// of its own origin. CS-10 HSTS of two years (not on loopback), nosniff, Referrer-Policy, COOP. SE-16 no-store.
func TestEveryPageSendsItsHeaders(t *testing.T) {
	const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
	r := renderer(t, view.Brand{})
	for _, s := range stories() {
		w := get(r, site, s.status, s.page)
		if w.Code != s.status {
			t.Errorf("%s: status %d, want %d", s.name, w.Code, s.status)
		}
		want := map[string]string{
			"Content-Security-Policy":    csp,
			"Referrer-Policy":            "same-origin",
			"Cache-Control":              "no-store",
			"X-Content-Type-Options":     "nosniff",
			"Cross-Origin-Opener-Policy": "same-origin",
			"Strict-Transport-Security":  "max-age=63072000",
			"Content-Type":               "text/html; charset=utf-8",
			"Content-Language":           "en",
			"Vary":                       "Accept-Language, Cookie",
			"Content-Length":             strconv.Itoa(w.Body.Len()),
		}
		if s.name == "frame" {
			want["Content-Security-Policy"] = strings.Replace(csp, "frame-ancestors 'none'", "frame-ancestors *", 1)
		}
		for name, value := range want {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", s.name, name, got, value)
			}
		}
		p := w.Header().Get("Permissions-Policy")
		if !strings.Contains(p, "publickey-credentials-get=(self)") ||
			!strings.Contains(p, "publickey-credentials-create=(self)") || strings.Count(p, "(self)") != 2 {
			t.Errorf("%s: Permissions-Policy %q", s.name, p)
		}
	}
}

// CS-10 HSTS stays away from names of this machine, and only from them.
func TestStrictTransportSparesLoopback(t *testing.T) {
	for host, own := range map[string]bool{
		"localhost": true, "localhost:8443": true, "app.localhost": true, "LOCALHOST.": true, "127.0.0.1": true,
		"127.9.9.9:80": true, "[::1]:443": true, "::1": true,
		"example.com": false, "localhost.example.com": false, "notlocalhost": false, "128.0.0.1": false,
		"10.0.0.1:443": false, "": false,
	} {
		h := http.Header{}
		view.SecurityHeaders(h, loopback.Host(host))
		if got := h.Get("Strict-Transport-Security") == ""; got != own {
			t.Errorf("%q without HSTS is %v", host, got)
		}
	}
}

func TestHeadGetsTheHeadersAlone(t *testing.T) {
	r := renderer(t, view.Brand{})
	w := httptest.NewRecorder()
	r.Render(w, httptest.NewRequest(http.MethodHead, site, nil), 200, view.Login{})
	full := get(r, site, 200, view.Login{})
	if w.Body.Len() != 0 || full.Body.Len() == 0 ||
		w.Header().Get("Content-Length") != full.Header().Get("Content-Length") {
		t.Errorf("HEAD sent %d bytes, length %s of %s", w.Body.Len(), w.Header().Get("Content-Length"),
			full.Header().Get("Content-Length"))
	}
}

func TestLimitsSayWhenToComeBack(t *testing.T) {
	r := renderer(t, view.Brand{})
	for _, s := range stories() {
		got := get(r, site, s.status, s.page).Header().Get("Retry-After")
		want := map[string]string{"login-limited": "252", "unavailable": "62", "mfa-limited": "60"}[s.name]
		if got != want {
			t.Errorf("%s: Retry-After %q, want %q", s.name, got, want)
		}
	}
	body := get(r, site, 429, stories()[4].page).Body.String()
	for _, want := range []string{"Too many tries. You can try again at", "14:09 UTC", "4 min 12 s",
		`datetime="2026-11-23T14:09:12Z"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the limited page does not say %q", want)
		}
	}
}

// CS-06 CS-11 A target that is not http, https or a path of ours is no link, no header and no page.
func TestContinueRefusesOtherSchemes(t *testing.T) {
	r := renderer(t, view.Brand{})
	for _, target := range []string{"javascript:alert(1)", "data:text/html,x", "//evil.example", `/\evil.example`,
		"\\\\evil", "", "vbscript:x",
		"https://user@evil.example/", "https:evil", "https:///x", " javascript:alert(1)", "/a\r\nSet-Cookie: x=1",
		"https://a.example/\r\nX: y", "http://[::1"} {
		w := get(r, site, 200, view.Continue{Target: target})
		if w.Code != 500 || w.Header().Get("Refresh") != "" || strings.Contains(w.Body.String(), "evil") ||
			!strings.Contains(w.Body.String(), "<h1>Something went wrong</h1>") || wellFormed(w.Body.String()) != nil {
			t.Errorf("%q: status %d, Refresh %q", target, w.Code, w.Header().Get("Refresh"))
		}
	}
	for _, c := range []struct{ target, fragment, want string }{
		{"https://grafana.example.com/d/7?x=1&y=2", "", "0; url=https://grafana.example.com/d/7?x=1&y=2"},
		{"/reports", "/a b\"'<", "0; url=/reports#/a%20b%22'%3C"},
		{"/reports#own", "other", "0; url=/reports#own"},
		{"https://app.example.com/ü", "", "0; url=https://app.example.com/%C3%BC"},
		{"/x", strings.Repeat("a", 3000), "0; url=/x"},
		{"/x", "a\r\nb", "0; url=/x#a%0D%0Ab"},
	} {
		w := get(r, site, 200, view.Continue{Target: c.target, Fragment: c.fragment})
		if got := w.Header().Get("Refresh"); got != c.want || w.Code != 200 {
			t.Errorf("%q: Refresh %q, want %q", c.target, got, c.want)
		}
	}
}

func TestAssetsAreImmutableAndNothingElseIsThere(t *testing.T) {
	r := renderer(t, view.Brand{Logo: []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)})
	page := get(r, site, 200, view.Login{}).Body.String()
	found := regexp.MustCompile(`/\.truxe/assets/[a-z]+\.[0-9a-f]{12}\.(css|js|svg)`).FindAllString(page, -1)
	if len(found) != 4 {
		t.Fatalf("assets of the page: %v", found)
	}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml"}
	for _, url := range found {
		w := httptest.NewRecorder()
		r.Assets().ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		h := w.Header()
		if w.Code != 200 || w.Body.Len() == 0 || h.Get("Content-Type") != kinds[filepath.Ext(url)] ||
			h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", url, w.Code, h)
		}
		if filepath.Ext(url) == ".svg" && h.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
			t.Errorf("%s may run scripts", url)
		}
		w = httptest.NewRecorder()
		r.Assets().ServeHTTP(w, httptest.NewRequest(http.MethodPost, url, nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", url, w.Code)
		}
	}
	for _, url := range []string{"/.truxe/assets/", "/.truxe/assets/app.css", "/.truxe/assets/../view.go",
		"/.truxe/assets/app.000000000000.js", "/assets/app.css", "/"} {
		w := httptest.NewRecorder()
		r.Assets().ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		if w.Code != 404 || w.Body.Len() != 0 || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d", url, w.Code)
		}
	}
}

// UX section 2: the login page is at most 50 KB in all.
func TestLoginPageIsSmall(t *testing.T) {
	r := renderer(t, view.Brand{})
	page := get(r, site, 429, stories()[4].page).Body.String()
	total := len(page)
	for _, url := range regexp.MustCompile(`/\.truxe/assets/[^"]+`).FindAllString(page, -1) {
		w := httptest.NewRecorder()
		r.Assets().ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		total += w.Body.Len()
	}
	t.Logf("login page: %d bytes uncompressed", total)
	if total > 50_000 {
		t.Errorf("the login page has %d bytes", total)
	}
}

func TestBrandIsChecked(t *testing.T) {
	for _, c := range []struct {
		brand view.Brand
		want  string // in the error; "" means accepted
	}{
		{view.Brand{}, ""},
		{view.Brand{Accent: "#1d4ed8"}, ""},
		{view.Brand{Accent: "#00f"}, ""},
		{view.Brand{Accent: "#1d4ed8 #93b4ff"}, ""},
		{view.Brand{Accent: "#ffcc00"}, "in the light scheme, needs 4.5:1; the nearest that passes is #"},
		{view.Brand{Accent: "#1d4ed8 #1d4ed8"}, "in the dark scheme, needs 4.5:1; the nearest that passes is #"},
		{view.Brand{Accent: "blue"}, "is not a colour like"},
		{view.Brand{Accent: "#12345g"}, "is not a colour like"},
		{view.Brand{Accent: "#111;}body{}"}, "is not a colour like"},
		{view.Brand{Accent: "#111 #eee #fff"}, "give one colour"},
		{view.Brand{LogoURL: "/logo.png"}, ""},
		{view.Brand{LogoURL: "https://cdn.example.com/logo.png"}, "on the gateway's own host"},
		{view.Brand{LogoURL: "//cdn.example.com/logo.png"}, "on the gateway's own host"},
		{view.Brand{Logo: []byte("\x89PNG\r\n\x1a\n")}, ""},
		{view.Brand{Logo: []byte("<html><script>")}, "is not an SVG"},
		{view.Brand{Logo: make([]byte, 40<<10)}, "larger than 32 KiB"},
		{view.Brand{Support: "help@example.com"}, ""},
		{view.Brand{Support: "https://help.example.com/desk"}, ""},
		{view.Brand{Support: "the IT desk: extension 12"}, ""},
		{view.Brand{Support: "javascript:alert(1)"}, "use a mail address"},
		{view.Brand{Support: "data:text/html,x"}, "use a mail address"},
	} {
		_, err := view.New(c.brand, "/.truxe")
		switch {
		case err == nil && c.want != "":
			t.Errorf("%+v was accepted", c.brand)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v: %v", c.brand, err)
		}
	}
	// The named colour passes.
	_, err := view.New(view.Brand{Accent: "#ffcc00"}, "/.truxe")
	near := err.Error()[strings.LastIndexByte(err.Error(), '#'):]
	if _, err := view.New(view.Brand{Accent: near}, "/.truxe"); err != nil {
		t.Errorf("the named colour does not pass: %v", err)
	}
	for _, base := range []string{"", "truxe", "//x", "/x/"} {
		if _, err := view.New(view.Brand{}, base); err == nil {
			t.Errorf("base %q was accepted", base)
		}
	}
}

// The accent is checked against the surfaces of the style sheet, so both must name the same colours.
func TestAccentIsCheckedAgainstTheRealSurfaces(t *testing.T) {
	css, code := readFile(t, "assets/app.css"), readFile(t, "accent.go")
	for _, surface := range []string{"--page:#f3f5f4", "--raised:#1f2826"} {
		hex := surface[len(surface)-6:]
		if !strings.Contains(css, surface) || !strings.Contains(code, "{0x"+hex[:2]+", 0x"+hex[2:4]+", 0x"+hex[4:]+"}") {
			t.Errorf("%s is not in both files", surface)
		}
	}
}

func TestStyleSheetIsLogical(t *testing.T) {
	physical := regexp.MustCompile(`(?m)[;{\s](margin|padding|border|inset)-(left|right|top|bottom)|[;{\s](left|right|top|bottom|width|height|min-width|max-width|min-height|max-height|text-align:(left|right)|float):`)
	css := regexp.MustCompile(`@media \([^)]*\)`).ReplaceAllString(readFile(t, "assets/app.css"), "@media")
	if m := physical.FindString(css); m != "" {
		t.Errorf("physical property %q", m)
	}
	if !physical.MatchString("a{margin-left:1px}") || !physical.MatchString("a{width:1px}") {
		t.Error("control: the pattern finds nothing")
	}
	js := readFile(t, "assets/app.js") + readFile(t, "assets/passkey.js")
	for _, sink := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
		"new Function", ".src =", "style."} {
		if strings.Contains(js, sink) {
			t.Errorf("the module uses %s", sink)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Every code has words, and the JSON answers use the same.
func TestEveryCodeHasItsWords(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(rig.Root(), "internal", "identity", "error.go"), nil,
		0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []identity.Code
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			if typ, ok := v.Type.(*ast.Ident); ok && typ.Name == "Code" {
				s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, identity.Code(s))
			}
		}
		return true
	})
	if len(codes) < 25 {
		t.Fatalf("only %d codes found", len(codes))
	}
	other := problem.Detail("no such code")
	for _, code := range codes {
		title, detail, _ := view.Text(code)
		if title == "" || detail == "" {
			t.Errorf("%s has no words", code)
		}
		if code != identity.CodeInternal && detail == other {
			t.Errorf("%s has no words of its own", code)
		}
		if json := problem.Detail(code); json != other && json != detail {
			t.Errorf("%s: pages say %q, JSON says %q", code, detail, json)
		}
	}
	if title, _, _ := view.Text("no such code"); title != "Something went wrong" {
		t.Errorf("an unknown code is %q", title)
	}
}

// No text of the catalogue is left over: every key is used by a template or by code.
func TestCatalogueHasNoDeadText(t *testing.T) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(readFile(t, "i18n/en.json")), &keys); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, pattern := range []string{"templates/*.html", "*.go"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			all.WriteString(readFile(t, name))
		}
	}
	for key := range keys {
		switch family, _, _ := strings.Cut(key, "."); family {
		case "code", "why", "method", "problem", "event", "way": // chosen by handlers
			continue
		}
		if !strings.Contains(all.String(), `"`+key+`"`) {
			t.Errorf("%s is used nowhere", key)
		}
	}
}

func TestLanguageIsChosen(t *testing.T) {
	r := renderer(t, view.Brand{})
	ask := func(url, accept string) string {
		w := httptest.NewRecorder()
		req := httptest.NewRequest(http.MethodGet, url, nil)
		req.Header.Set("Accept-Language", accept)
		r.Render(w, req, 200, view.Login{})
		return w.Header().Get("Content-Language")
	}
	if got := ask(site+"?lang=en-XA", ""); got != "en" {
		t.Errorf("pseudo-locales are on by default: %s", got)
	}
	r.PseudoLocales = true
	for _, c := range []struct{ url, accept, want string }{
		{site, "", "en"}, {site, "de, fr;q=0.9", "en"}, {site, "ar-XB;q=0.5, en-XA", "en-XA"},
		{site, "en-XA;q=0, ar-XB;q=0.1", "ar-XB"},
		{site, "de-DE,en-US;q=0.7,ar-XB;q=0.3", "en"}, {site + "?lang=ar-XB", "en", "ar-XB"},
		{site + "?lang=zz", "en-XA", "en-XA"}, {site + "?lang=%zz", "", "en"},
	} {
		if got := ask(c.url, c.accept); got != c.want {
			t.Errorf("%s with %q: %s, want %s", c.url, c.accept, got, c.want)
		}
	}
	body := get(r, site+"?lang=ar-XB", 200, view.Login{}).Body.String()
	if !strings.Contains(body, `<html lang="ar-XB" dir="rtl">`) ||
		!strings.Contains(body, `action="/.truxe/login?lang=ar-XB"`) {
		t.Error("the chosen language is not kept")
	}
}
