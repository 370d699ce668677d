package gate

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func forwardSite(t testing.TB) *Site {
	t.Helper()
	s, err := CompileSite(SiteConfig{ForwardHosts: []string{"one.test", "localhost"}}, &Rules{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// HD-05: whatever the headers say, the result is a request to a listed host over https, or an error; never a panic.
func FuzzForwardedHeaders(f *testing.F) {
	f.Add("GET", "https", "one.test", "/x?y=1", "")
	f.Add("get", "wss", "ONE.test.:443", "/x", "")
	f.Add("POST", "", "", "", "https://one.test/x")
	f.Add("POST", "http", "evil.test", "//x", "http://one.test@evil.test/x")
	s := forwardSite(f)
	f.Fuzz(func(t *testing.T, method, proto, host, uri, original string) {
		r := httptest.NewRequest(http.MethodGet, "/.truxe/forward-auth", nil)
		for name, value := range map[string]string{"X-Forwarded-Method": method, "X-Forwarded-Proto": proto, "X-Forwarded-Host": host, "X-Forwarded-Uri": uri,
			"X-Original-Url": original, "X-Original-Method": method} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		got, err := readForwarded(r, s)
		if err != nil {
			return
		}
		if got.request.URL.Host != "" || got.request.URL.Path == "" || got.request.URL.Path[0] != '/' || got.request.Method != method {
			t.Fatalf("%q %q %q %q %q: %+v", method, proto, host, uri, original, got.request.URL)
		}
	})
}

// UX 1.3: each kind of request is told by what browsers and programs send.
func TestKindsOfRequestsAreToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		header map[string]string
		want   Kind
	}{
		"address bar": {"GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, KindNavigate},
		"frame":       {"GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, KindFrame},
		"form":        {"POST", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin"}, KindPost},
		"cross form":  {"POST", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}, KindPostCross},
		"fetch":       {"GET", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html"}, KindAPI},
		"old browser": {"GET", map[string]string{"Accept": "text/html,*/*"}, KindNavigate},
		"curl":        {"GET", map[string]string{"Accept": "*/*"}, KindAPI},
		"websocket":   {"GET", map[string]string{"Upgrade": "WebSocket", "Accept": "text/html"}, KindWebSocket},
		"h2 socket":   {"CONNECT", map[string]string{":protocol": "websocket"}, KindWebSocket},
		"preflight":   {"OPTIONS", map[string]string{"Origin": "https://x.test", "Access-Control-Request-Method": "PUT"}, KindPreflight},
	} {
		r := &http.Request{Method: c.method, Header: http.Header{}}
		for k, v := range c.header {
			r.Header[k] = []string{v}
		}
		if got := KindOf(r); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
