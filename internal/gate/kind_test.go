package gate

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/origin"
)

// ED-21 a form of a browser without Fetch Metadata may be submitted again where its page is of the same origin as the
// site, as the configuration calls it outside: another port or scheme is another page.
func TestFormsOfOldBrowsersAreSortedByOrigin(t *testing.T) {
	outside, err := origin.Parse("https://app.test:8443")
	if err != nil {
		t.Fatal(err)
	}
	book := origin.NewBook([]origin.Site{{Host: "app.test", Public: outside}})
	for _, c := range []struct {
		header, value string
		want          Kind
	}{
		{"Origin", "https://app.test:8443", KindPost},
		{"Referer", "https://app.test:8443/form?x=1", KindPost},
		{"Origin", "https://app.test", KindPost}, // as the request itself calls the host
		{"Origin", "http://app.test:8443", KindPostCross},
		{"Origin", "https://app.test:9999", KindPostCross},
		{"Origin", "https://evil.test", KindPostCross},
		{"Referer", "https://evil.test/https://app.test/", KindPostCross},
		{"Origin", "null", KindPostCross},
		{"Origin", "", KindPostCross},
	} {
		r := httptest.NewRequest(http.MethodPost, "https://app.test/form", strings.NewReader("a=1"))
		r.Header = http.Header{"Accept": {"text/html"}, "Content-Type": {"application/x-www-form-urlencoded"},
			c.header: {c.value}}
		if got := (&request{Request: r, socket: isWebSocket(r)}).kindOf(book); got != c.want {
			t.Errorf("%s %q: %v, want %v", c.header, c.value, got, c.want)
		}
	}
}
