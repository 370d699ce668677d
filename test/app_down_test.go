package test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// ED-23 UX section 3: an app that is down is reported as that, to browsers: the first sign-in ends at a page that says
// so, and "Try again" works once the app is there. Programs get Caddy's answer, and an operator's handle_errors keeps
// its own.
func TestAppThatIsDownIsToldAsThat(t *testing.T) {
	down := rig.Port(t)
	address := "127.0.0.1:" + strconv.Itoa(down)
	proxy := "\ttruxe {\n\t\tpublic /open/*\n\t\tsecurity_headers on\n\t}\n\theader Etag app\n\treverse_proxy " + address
	s := tell(t, plot{sites: site("app.test", proxy) +
		site("own.test", proxy+"\n\thandle_errors {\n\t\trespond \"own page {err.status_code}\"\n\t}") +
		site("missing.test", proxy+"\n\thandle_errors 404 {\n\t\trespond \"not here\"\n\t}") +
		site("five.test", proxy+"\n\thandle_errors 5xx {\n\t\trespond \"own page {err.status_code}\"\n\t}") +
		site("matcher.test", "\ttruxe /admin/*\n\treverse_proxy "+address) +
		site("maintained.test",
			"\ttruxe\n\t@maintenance path /maintenance\n\terror @maintenance \"back soon\" 503\n\treverse_proxy "+address) +
		site("sick.test", "\ttruxe\n\treverse_proxy "+address+" {\n\t\tlb_policy first\n\t\tfail_duration 1h\n\t}")})
	page := func(a answer, status int) {
		t.Helper()
		a.want(status)
		if !strings.Contains(a.body, "The app is down") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") ||
			!reference.MatchString(a.body) {
			t.Errorf("%d %s: %.400s", a.status, a.header.Get("Content-Type"), a.body)
		}
		if a.header.Get("Etag") != "" || a.header.Get("Cache-Control") != "no-store" || strings.Contains(a.body, address) {
			t.Errorf("the page names the app or could be kept: %v", a.header)
		}
	}
	pia := s.browser("app.test")
	first := pia.get("/deep?x=1", navigate).want(http.StatusFound)
	end := pia.tryForm(first.header.Get("Location"), "pia", piaPassword).want(http.StatusSeeOther)
	pia.get(end.header.Get("Location"), navigate).want(http.StatusOK) // the page that goes on to the app
	a := pia.get("/deep?x=1", navigate)
	page(a, http.StatusBadGateway)
	if !strings.Contains(a.body, "Try again") {
		t.Errorf("no way to try again: %s", a.body)
	}
	said := s.cli("explain", reference.FindString(a.body))
	if !strings.Contains(said, "app_down") || !strings.Contains(said, "connection refused") {
		t.Errorf("explain says %s", said)
	}
	if log := s.g.Log(); !strings.Contains(log, reference.FindString(a.body)) ||
		!strings.Contains(log, "connection refused") {
		t.Error("the log has no line with reference and cause")
	}
	page(s.bare("app.test").get("/open/x", navigate), http.StatusBadGateway)
	if head := pia.do(http.MethodHead, "/", "", navigate).want(http.StatusBadGateway); head.body != "" {
		t.Error("a HEAD request got a body")
	}
	form := pia.do(http.MethodPost, "/save", "a=b", submit, []string{"Origin", "https://app.test"})
	page(form, http.StatusBadGateway)
	if !strings.Contains(form.body, "may or may not have received") || strings.Contains(form.body, ">Try again<") {
		t.Errorf("a form is answered with %s", form.body)
	}
	for name, headers := range map[string][]string{"fetch": fetch, "program": program,
		"frame": {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "same-origin"}} {
		if a := pia.get("/data", headers).want(http.StatusBadGateway); a.body != "" || a.header.Get("Content-Type") != "" {
			t.Errorf("%s: the answer of Caddy became %q", name, a.body)
		}
	}
	for host, want := range map[string]string{"own.test": "own page 502", "five.test": "own page 502"} {
		v := s.browser(host)
		v.signIn("pia", piaPassword)
		if a := v.get("/", navigate); a.body != want {
			t.Errorf("%s: the operator's page became %d %.200s", host, a.status, a.body)
		}
	}
	v := s.browser("missing.test")
	v.signIn("pia", piaPassword)
	page(v.get("/", navigate), http.StatusBadGateway)
	if a := s.bare("matcher.test").get("/", navigate).want(http.StatusBadGateway); a.body != "" {
		t.Errorf("outside the matcher the answer of Caddy became %.200s", a.body)
	}
	sick := s.browser("sick.test")
	sick.signIn("pia", piaPassword)
	sick.get("/", navigate)
	page(sick.get("/", navigate), http.StatusServiceUnavailable)

	// an error that the configuration asks for is not the app's
	maintained := s.browser("maintained.test")
	maintained.signIn("pia", piaPassword)
	if a := maintained.get("/maintenance", navigate).want(http.StatusServiceUnavailable); a.body != "" {
		t.Errorf("an error of the configuration became %.200s", a.body)
	}
	page(maintained.get("/", navigate), http.StatusBadGateway)

	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	app := &httptest.Server{Listener: l, Config: &http.Server{ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("hello " + r.Header.Get("Remote-User")))
		})}}
	app.Start()
	t.Cleanup(app.Close)
	if a := pia.get("/deep?x=1", navigate).want(http.StatusOK); a.body != "hello pia" {
		t.Errorf("after the app has started: %q", a.body)
	}
}
