package view_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

// hostile fills every string of a model, deeply, so that a field added later is tried too.
func hostile(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.SetString(s)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			hostile(v.Field(i), s)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			hostile(v.Elem(), s)
		}
	case reflect.Slice:
		if v.Len() == 0 && v.CanSet() {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		}
		for i := range v.Len() {
			hostile(v.Index(i), s)
		}
	}
}

// shape is a page's elements and attribute names, without what they hold.
func shape(n *html.Node) string {
	var b strings.Builder
	each(n, func(n *html.Node) {
		b.WriteString("<" + n.Data)
		for _, a := range n.Attr {
			b.WriteString(" " + a.Key)
		}
		b.WriteString(">")
	})
	return b.String()
}

// CS-11 Hostile strings in every field of every model come back encoded: the page has the elements and attributes that
// it has with harmless ones; no javascript: or data: link.
func TestHostileStringsComeBackEncoded(t *testing.T) {
	r := renderer(t, view.Brand{})
	render := func(page view.Page, s string) string {
		v := reflect.New(reflect.TypeOf(page)).Elem()
		v.Set(reflect.ValueOf(page))
		hostile(v, s)
		w := get(r, site, 200, v.Interface().(view.Page))
		if w.Code != 200 {
			t.Errorf("%T with %.30q: status %d", page, s, w.Code)
		}
		return w.Body.String()
	}
	for _, story := range stories() {
		if _, leaves := story.page.(view.Continue); leaves {
			continue // its target is refused: TestContinueRefusesOtherSchemes
		}
		harmless := shape(parse(t, render(story.page, "plainword")))
		for _, evil := range []string{`"><script>alert(1)</script>`, `' onmouseover='alert(1)`,
			`</title><img src=x onerror=alert(1)>`, "{{.}}{n}{name}", "a\x00b\r\nc",
			"\u202e\u2066evil", `javascript:alert(1)`, `data:text/html,<script>`, `&lt;script&gt;`, "--><!--", "`${alert(1)}`",
			strings.Repeat("é", 9000)} {
			body := render(story.page, evil)
			doc := parse(t, body)
			if got := shape(doc); got != harmless && !strings.Contains(evil, ":") {
				t.Errorf("%s: %.30q changes the page", story.name, evil)
			}
			each(doc, func(n *html.Node) {
				for _, a := range n.Attr {
					switch a.Key {
					case "href", "src", "action", "formaction":
						if low := strings.ToLower(strings.TrimSpace(a.Val)); strings.HasPrefix(low, "javascript:") ||
							strings.HasPrefix(low, "data:") {
							t.Errorf("%s: %s=%q", story.name, a.Key, a.Val)
						}
					}
				}
			})
			if err := wellFormed(body); err != nil {
				t.Errorf("%s: %.30q: %v", story.name, evil, err)
			}
		}
	}
}

// CS-11 The request chooses nothing that is shown: not its Host, path, query, Referer or forwarded headers.
func TestRequestIsNeverShown(t *testing.T) {
	r := renderer(t, view.Brand{})
	const canary = "canary7f"
	for _, s := range stories() {
		req := httptest.NewRequest(http.MethodGet, "https://"+canary+".example/"+canary+"?lang="+canary+"&x="+canary, nil)
		for _, name := range []string{"Referer", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-URL",
			"Accept-Language",
			"User-Agent", "Cookie"} {
			req.Header.Set(name, canary)
		}
		w := httptest.NewRecorder()
		r.Render(w, req, s.status, s.page)
		if strings.Contains(w.Body.String(), canary) || strings.Contains(fmt.Sprint(w.Header()), canary) {
			t.Errorf("%s shows something of the request", s.name)
		}
	}
}

func FuzzLogin(f *testing.F) {
	r := renderer(f, view.Brand{})
	f.Add("alice", "grafana.example.com", "/d/7", "Check your username and password.", "en-US,en;q=0.5", "lang=en")
	f.Add(`"><script>`, "javascript:alert(1)", "\x00\r\n", "{n}{{.}}", ",;q=,en;q=2", "lang=%zz&lang=ar-XB")
	want := ""
	f.Fuzz(func(t *testing.T, name, host, fragment, problem, accept, query string) {
		req := httptest.NewRequest(http.MethodGet, site, nil)
		req.URL.RawQuery = query
		req.Header["Accept-Language"] = []string{accept}
		w := httptest.NewRecorder()
		r.Render(w, req, 401, view.Login{Destination: view.Destination{Host: "h" + host}, Username: "u" + name,
			WayBack: view.WayBack{Fragment: fragment, Return: host}, Here: host,
			Problems: []view.Problem{{Field: view.FieldUsername, Text: "p" + problem}}})
		if w.Code != 401 {
			t.Fatalf("status %d", w.Code)
		}
		got := shape(parse(t, w.Body.String()))
		if want == "" {
			want = got
		}
		if got != want {
			t.Fatalf("the page changed its elements:\n%s\n%s", got, want)
		}
	})
}

func FuzzContinue(f *testing.F) {
	r := renderer(f, view.Brand{})
	f.Add("https://app.example.com/x?y#z", "frag")
	f.Add("javascript:alert(1)", "\r\n")
	f.Fuzz(func(t *testing.T, target, fragment string) {
		w := get(r, site, 200, view.Continue{Target: target, Fragment: fragment})
		refresh := w.Header().Get("Refresh")
		if w.Code == 500 && refresh == "" {
			return
		}
		to, ok := strings.CutPrefix(refresh, "0; url=")
		if !ok || strings.IndexFunc(to, func(c rune) bool { return c <= ' ' || c >= 0x7f }) >= 0 {
			t.Fatalf("Refresh %q", refresh)
		}
		low := strings.ToLower(to)
		if !strings.HasPrefix(low, "http://") && !strings.HasPrefix(low, "https://") &&
			(to[0] != '/' || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`)) {
			t.Fatalf("goes to %q", to)
		}
	})
}

func FuzzBrowser(f *testing.F) {
	f.Add(firefox)
	f.Add("")
	f.Fuzz(func(t *testing.T, ua string) {
		if got := view.Browser(ua); got == "" || len(got) > 60 {
			t.Fatalf("%q", got)
		}
	})
}
