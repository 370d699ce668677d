package cors

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// CS-05: an Origin header is answered only when it is exactly a listed origin, and then with that origin.
func FuzzOriginHeader(f *testing.F) {
	const listed = "https://spa.example.com"
	c, err := New([]string{listed, "http://localhost:5173"})
	if err != nil {
		f.Fatal(err)
	}
	for _, origin := range []string{listed, "null", "", "*", listed + "/", listed + ":443", "https://SPA.example.com",
		listed + ".evil.test", "https://spa.example.com@evil.test", "http://localhost:5173"} {
		f.Add(origin, "")
	}
	f.Add(listed, listed)
	f.Fuzz(func(t *testing.T, origin, second string) {
		r := httptest.NewRequest(http.MethodOptions, "/", nil)
		r.Header["Origin"] = []string{origin}
		if second != "" {
			r.Header["Origin"] = append(r.Header["Origin"], second)
		}
		w := httptest.NewRecorder()
		want := second == "" && (origin == listed || origin == "http://localhost:5173")
		if got := c.Preflight(w, r); got != want {
			t.Fatalf("%q %q: answered %v", origin, second, got)
		}
		if got := w.Header().Get("Access-Control-Allow-Origin"); want && got != origin || !want && got != "" {
			t.Errorf("%q %q: Access-Control-Allow-Origin %q", origin, second, got)
		}
	})
}

// A configured origin that is taken allows itself as browsers write it, and neither "*" nor "null" is one.
func FuzzNew(f *testing.F) {
	for _, text := range []string{"https://spa.example.com", "https://SPA.example.com:8443", "*", "null",
		"https://spa.example.com/", "https://", "https://a?", "https://a#"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := New([]string{text})
		if err != nil {
			return
		}
		if !c.Allows(strings.ToLower(text)) || c.Allows("*") || c.Allows("null") || c.Allows("") || len(c.List()) != 1 {
			t.Errorf("%q: %q", text, c.List())
		}
	})
}
