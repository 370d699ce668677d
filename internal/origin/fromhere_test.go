package origin

import (
	"crypto/tls"
	"net/http"
	"testing"
)

// ED-05 SE-18: what makes a request one of a page of the same origin, and what does not.
func TestRequestsFromPagesOfTheSameOrigin(t *testing.T) {
	b := NewBook([]Site{{"app.test", must(t, "https://app.test:8443")}, {"plain.localhost",
		must(t, "http://plain.localhost:8080")}})
	for name, c := range map[string]struct {
		host   string
		header http.Header
		want   bool
	}{
		"configured":                  {"app.test", http.Header{"Origin": {"https://app.test:8443"}}, true},
		"as asked, with another port": {"app.test:9443", http.Header{"Origin": {"https://app.test:9443"}}, true},
		"default port written":        {"app.test:443", http.Header{"Origin": {"https://app.test"}}, true},
		"Fetch Metadata, port dropped": {"app.test", http.Header{"Origin": {"https://app.test:9999"},
			"Sec-Fetch-Site": {"same-origin"}}, true},
		"loopback on http": {"plain.localhost:8080", http.Header{"Origin": {"http://plain.localhost:8080"}},
			true},
		"http on https":            {"app.test", http.Header{"Origin": {"http://app.test"}}, false},
		"http on https, same port": {"app.test:8443", http.Header{"Origin": {"http://app.test:8443"}}, false},
		"another port":             {"app.test", http.Header{"Origin": {"https://app.test:9999"}}, false},
		"another host":             {"app.test", http.Header{"Origin": {"https://evil.test"}}, false},
		"null":                     {"app.test", http.Header{"Origin": {"null"}}, false},
		"none":                     {"app.test", http.Header{}, false},
		"two": {"app.test", http.Header{"Origin": {"https://app.test", "https://app.test"}},
			false},
		"Fetch Metadata says another site": {"app.test", http.Header{"Origin": {"https://app.test:8443"},
			"Sec-Fetch-Site": {"same-site"}}, false},
		"Fetch Metadata twice": {"app.test", http.Header{"Sec-Fetch-Site": {"same-origin", "same-origin"}},
			false},
		"no host": {"", http.Header{"Origin": {"https://"}}, false},
	} {
		r := &http.Request{Host: c.host, Header: c.header, TLS: &tls.ConnectionState{}}
		if c.host == "plain.localhost:8080" {
			r.TLS = nil
		}
		if got := b.FromHere(r); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
