package caddymodule

import (
	"strings"
	"testing"
)

// The option `portal` is one host, or an origin of one host; read again in its own form it is the same.
func FuzzParsePortal(f *testing.F) {
	for _, text := range []string{"auth.example.com", "https://auth.example.com:8443", "http://localhost:8080",
		"http://auth.example.com", "*.example.com", "https://*.example.com",
		"auth.example.com:8443", "", "://", "https://a/b", "[::1]", "https://[::1]:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		host, public, err := parsePortal(text)
		if err != nil {
			if host != "" || public.Host != "" {
				t.Errorf("%q: %v, and %q", text, err, host)
			}
			return
		}
		if strings.ContainsAny(host, "*/@ ") || public.Host != "" && public.Host != host || text != "" && host == "" {
			t.Errorf("%q: host %q, origin %v", text, host, public)
		}
		if again, same, err := parsePortal(public.String()); public.Host != "" &&
			(err != nil || again != host || same != public) {
			t.Errorf("%q: %v is read as %v: %v", text, public, same, err)
		}
	})
}
