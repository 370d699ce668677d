package web

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// AZ-02 AP-03: whatever is asked about is refused, or is a request that a server could read: its path is judged in
// every reading, it brings no header, and it is for the host that was meant.
func FuzzAskedRequest(f *testing.F) {
	for _, seed := range [][2]string{{"GET", "/orders?x=1"}, {"POST", "//in/x"}, {"GET", "/in/..%2fx"}, {"GET", "/%zz"},
		{"", ""}, {"GET", "http://evil/"}, {"G T", "/"}, {"CONNECT", "/x"},
		{"GET", "/x#y"}, {"OPTIONS", "*"}, {"GET", "/\xff"}, {"GET", "/a\r\nHost: evil"}, {"GET", "/a b"},
		{"DELETE", "/;x=1/../y"}} {
		f.Add(seed[0], seed[1], "app.test")
	}
	f.Fuzz(func(t *testing.T, method, path, host string) {
		folded, err := policy.FoldHost(host)
		if err != nil {
			return
		}
		r, err := askedRequest(httptest.NewRequest("POST", "https://app.test/.truxe/api/v1/check", nil), method, path,
			folded)
		if err != nil {
			if identity.CodeOf(err) != identity.CodeInvalidRequest {
				t.Fatal(err)
			}
			return
		}
		if r.Method != method || r.RequestURI != path || r.URL.Host != "" || r.URL.Scheme != "" || len(r.Header) != 0 ||
			strings.ContainsAny(path, " \r\n\x00") {
			t.Fatalf("%q %q became %+v", method, path, r.URL)
		}
		if again, err := policy.FoldHost(r.Host); err != nil || again != folded {
			t.Fatalf("host %q became %q: %v", folded, r.Host, err)
		}
		if c, err := policy.Canonical(r); err == nil && !strings.HasPrefix(c.Canonical, "/") {
			t.Fatalf("%q is judged as %q", path, c.Canonical)
		}
	})
}
