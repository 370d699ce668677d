package gate

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/rules"
)

func forwardSite(t testing.TB, from string) *Site {
	t.Helper()
	s, err := NewSites(rules.NewBook(nil)).Compile(SiteConfig{ForwardHosts: []string{"one.test", "localhost"},
		ForwardFrom: from})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// HD-05 ED-02: whatever the headers and the URL say, the result is a request to a listed host over https, or an error;
// never a panic. With a second kind of headers, the request is the one that the named proxy describes.
func FuzzForwardedHeaders(f *testing.F) {
	f.Add("GET", "https", "one.test", "/x?y=1", "", "")
	f.Add("get", "wss", "ONE.test.:443", "/x", "", "")
	f.Add("POST", "", "", "", "https://one.test/x", "")
	f.Add("POST", "http", "evil.test", "//x", "http://one.test@evil.test/x", "")
	f.Add("GET", "https", "one.test", "/x", "https://one.test/y", "/z%2f?q")
	sites := map[string]*Site{}
	for _, from := range append(Proxies, "") {
		sites[from] = forwardSite(f, from)
	}
	f.Fuzz(func(t *testing.T, method, proto, host, uri, original, target string) {
		r := httptest.NewRequest(http.MethodGet, "/.truxe/forward-auth", nil)
		r.Host, r.Method, r.RequestURI = host, method, "/.truxe/ext-authz"+target
		for name, value := range map[string]string{"X-Forwarded-Method": method, "X-Forwarded-Proto": proto,
			"X-Forwarded-Host": host, "X-Forwarded-Uri": uri,
			"X-Original-Url": original, "X-Original-Method": method} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		questions := []Question{{}, {Answer: true}}
		if q, ok := QuestionOf("/.truxe", &http.Request{URL: &url.URL{Path: "/"}, RequestURI: r.RequestURI}); ok {
			questions = append(questions, q)
		} else if strings.HasPrefix(target, "/") {
			t.Fatalf("%q is no question", r.RequestURI)
		}
		for from, s := range sites {
			for _, q := range questions {
				got, err := readForwarded(r, s, q, nil)
				if err != nil {
					continue
				}
				if q.Target != "" && from != "envoy" {
					t.Fatalf("from %q: Envoy's way of asking is believed", from)
				}
				if got.request.URL.Host != "" || got.request.URL.Path == "" || got.request.URL.Path[0] != '/' ||
					got.request.Method != method && method != http.MethodConnect {
					t.Fatalf("%q %q %q %q %q: %+v", method, proto, host, uri, original, got.request.URL)
				}
				want := uri
				switch {
				case q.Target != "":
					want = target
				case from == "nginx", from == "" && original != "":
					_, want, _ = strings.Cut(original, "://")
					want = want[strings.IndexByte(want, '/'):]
				}
				if got.request.RequestURI != want || from == "" && q.Target == "" && original != "" && uri != "" {
					t.Fatalf("%q: %q was believed, want %q", from, got.request.RequestURI, want)
				}
			}
		}
	})
}

// ED-02: an unknown word is an error that names the nearest one.
func TestUnknownProxyIsAnError(t *testing.T) {
	_, err := NewSites(rules.NewBook(nil)).Compile(SiteConfig{ForwardHosts: []string{"one.test"}, ForwardFrom: "ngnix"})
	if err == nil || !strings.Contains(err.Error(), `did you mean "nginx"`) {
		t.Error(err)
	}
	_, err = NewSites(rules.NewBook(nil)).Compile(SiteConfig{ForwardHosts: []string{"one.test:8443"}})
	if err == nil || !strings.Contains(err.Error(), "origin https://one.test:8443") {
		t.Error(err)
	}
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
		"form": {"POST", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
			"Sec-Fetch-Site": "same-origin"}, KindPost},
		"cross form": {"POST", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
			"Sec-Fetch-Site": "cross-site"}, KindPostCross},
		"fetch": {"GET", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html"},
			KindAPI},
		"old browser": {"GET", map[string]string{"Accept": "text/html,*/*"}, KindNavigate},
		"curl":        {"GET", map[string]string{"Accept": "*/*"}, KindAPI},
		"websocket":   {"GET", map[string]string{"Upgrade": "WebSocket", "Accept": "text/html"}, KindWebSocket},
		"h2 socket":   {"CONNECT", map[string]string{":protocol": "websocket"}, KindWebSocket},
		"preflight": {"OPTIONS", map[string]string{"Origin": "https://x.test", "Access-Control-Request-Method": "PUT"},
			KindPreflight},
	} {
		r := &http.Request{Method: c.method, Header: http.Header{}}
		for k, v := range c.header {
			r.Header[k] = []string{v}
		}
		if got := (&request{Request: r, socket: isWebSocket(r)}).kindOf(nil); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
