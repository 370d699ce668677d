package view_test

import (
	"testing"

	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

func TestBrowserIsNamed(t *testing.T) {
	for ua, want := range map[string]string{
		firefox: "Firefox on Windows", iphone: "Safari on iPhone", chrome: "Chrome on macOS",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0": "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36":                  "Chrome on Android",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36":                "Chrome on ChromeOS",
		"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0 Mobile/15E148 Safari/604.1": "Chrome on iPad",
		"curl/8.5.0": "curl", "": "Unknown browser", "<script>": "Unknown browser", "Something (Linux)": "Linux",
	} {
		if got := view.Browser(ua); got != want {
			t.Errorf("%q is %q, want %q", ua, got, want)
		}
	}
}
