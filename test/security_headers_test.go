package test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// hardened are the headers of `security_headers on` and what they say where the app says nothing.
var hardened = map[string]string{
	"X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin-when-cross-origin",
	"X-Frame-Options":         "SAMEORIGIN",
	"Content-Security-Policy": "frame-ancestors 'self'", "Strict-Transport-Security": "max-age=63072000",
}

// ED-12 `security_headers on` adds what the app leaves unsaid, on every status, and changes no word of the app's own;
// with `off` and without the option no header is added.
func TestSecurityHeadersCompleteTheAppsOwn(t *testing.T) {
	app := answering(t, func(w http.ResponseWriter, r *http.Request) {
		for _, line := range r.Header["X-Say"] {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Add(name, value)
		}
		switch r.URL.Path {
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/cached":
			w.WriteHeader(http.StatusNotModified)
		case "/silent":
		default:
			_, _ = io.WriteString(w, "page")
		}
	})
	open := func(options string) string {
		return "\ttruxe {\n\t\tpublic /*\n" + options + "\t}\n\treverse_proxy " + app
	}
	s := tell(t, plot{sites: site("on.test", open("\t\tsecurity_headers on\n")) + site("off.test",
		open("\t\tsecurity_headers off\n")) +
		site("default.test", open("")) + site("on.localhost", open("\t\tsecurity_headers on\n")) +
		site("inner.test",
			"\theader Referrer-Policy no-referrer\n\troute {\n\t\ttruxe {\n\t\t\tpublic /*\n\t\t}\n\t\ttruxe /in/* {\n\t\t\tpublic /*\n\t\t\tsecurity_headers on\n\t\t}\n\t\treverse_proxy "+app+"\n\t}")})
	ask := func(host, path string, say ...string) http.Header {
		t.Helper()
		var lines []string
		for _, line := range say {
			lines = append(lines, "X-Say", line)
		}
		return s.bare(host).get(path, program, lines).header
	}
	for _, path := range []string{"/", "/missing", "/silent"} {
		for name, want := range hardened {
			if got := ask("on.test", path).Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("on%s: %s %q, want %q", path, name, got, want)
			}
			for _, host := range []string{"off.test", "default.test"} {
				if got := ask(host, path).Values(name); len(got) != 0 {
					t.Errorf("%s%s: %s %q", host, path, name, got)
				}
			}
		}
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "none", "Referrer-Policy": "unsafe-url",
		"Strict-Transport-Security": "max-age=0"} {
		if got := ask("on.test", "/", name+": "+want).Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("the app's own %s became %q", name, got)
		}
	}
	for _, c := range []struct {
		name, say    string
		csp, options string // the answer's
	}{
		{"a policy on frames", "Content-Security-Policy: frame-ancestors https://wiki.test",
			"frame-ancestors https://wiki.test", ""},
		{"the same in capitals", "Content-Security-Policy: img-src 'self';Frame-Ancestors *",
			"img-src 'self';Frame-Ancestors *", ""},
		{"a policy on other things", "Content-Security-Policy: img-src 'self'", "img-src 'self'", "SAMEORIGIN"},
		{"a policy that is only reported", "Content-Security-Policy-Report-Only: frame-ancestors 'none'",
			"frame-ancestors 'self'", "SAMEORIGIN"},
		{"the older header", "X-Frame-Options: ALLOW-FROM https://wiki.test", "", "ALLOW-FROM https://wiki.test"},
	} {
		h := ask("on.test", "/", c.say)
		if csp, options := strings.Join(h.Values("Content-Security-Policy"), "|"), strings.Join(h.Values("X-Frame-Options"),
			"|"); csp != c.csp || options != c.options {
			t.Errorf("%s: Content-Security-Policy %q, X-Frame-Options %q", c.name, csp, options)
		}
	}
	// a 304 stands for an answer that browsers have with its own headers
	if h := ask("on.test", "/cached"); h.Get("X-Frame-Options") != "" || h.Get("Content-Security-Policy") != "" {
		t.Errorf("a 304 changes what is cached: %v", h)
	}
	if local := ask("on.localhost", "/"); local.Get("Strict-Transport-Security") != "" ||
		local.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a loopback name: %v", local)
	}
	if h := ask("inner.test", "/in/x"); h.Get("X-Frame-Options") != "SAMEORIGIN" ||
		h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("the second directive of a site: %v", h)
	}
	if h := ask("inner.test", "/x"); h.Get("X-Frame-Options") != "" {
		t.Errorf("outside the second directive: %v", h)
	}
}
