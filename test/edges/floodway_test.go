package edges

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// signingIn is a browser at the login page.
type signingIn struct {
	t    *testing.T
	c    *http.Client
	page string // the login page's URL
	form string // its HTML
}

const deepLink = "/orders/17?tab=items"

// beginSignIn opens a page of the app and follows the way to the form.
func beginSignIn(t *testing.T, g *rig.Caddy) *signingIn {
	t.Helper()
	s := &signingIn{t: t, c: g.Client(), page: "https://app.test" + deepLink}
	res, body := s.do(http.MethodGet, s.page, "")
	for range 3 {
		if res.StatusCode != http.StatusFound {
			break
		}
		s.page = s.absolute(res.Header.Get("Location"))
		res, body = s.do(http.MethodGet, s.page, "")
	}
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `name="password"`) {
		t.Fatalf("no login form at %s: %d %.300s", s.page, res.StatusCode, body)
	}
	s.form = body
	return s
}

var refreshTo = regexp.MustCompile(`(?i)url=['"]?([^'"]+)`)

// finish sends the form and follows the way to the page that was wanted.
func (s *signingIn) finish() {
	s.t.Helper()
	fields := url.Values{"username": {"alice"}, "password": {password}}
	if m := returnField.FindStringSubmatch(s.form); m != nil {
		fields.Set("return", m[1])
	}
	at := s.absolute("/.truxe/login")
	res, body := s.do(http.MethodPost, at, fields.Encode())
	for range 6 {
		to := res.Header.Get("Location")
		if m := refreshTo.FindStringSubmatch(res.Header.Get("Refresh")); to == "" && m != nil {
			to = m[1]
		}
		if to == "" {
			break
		}
		s.page = s.absolute(to)
		res, body = s.do(http.MethodGet, s.page, "")
	}
	if u := res.Request.URL; u.Hostname() != "app.test" || u.RequestURI() != deepLink || res.StatusCode != http.StatusOK ||
		body != "the app" {
		s.t.Errorf("a sign-in that was begun before the flood ended at %s: %d %.300s", s.page, res.StatusCode, body)
	}
}

func (s *signingIn) absolute(to string) string {
	s.t.Helper()
	base, err := url.Parse(s.page)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := base.Parse(to)
	if err != nil {
		s.t.Fatal(err)
	}
	return u.String()
}

func (s *signingIn) do(method, to, form string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, to, strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range []field{{"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "document"},
		{"Sec-Fetch-Site", "same-origin"}, {"Accept", "text/html"}} {
		req.Header.Set(f.name, f.value)
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	}
	res, err := s.c.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

// revoke ends a token as RFC 7009 says.
func revoke(t *testing.T, g *rig.Caddy, token string) {
	t.Helper()
	client := g.Client()
	res, err := client.PostForm("https://app.test/.truxe/api/v1/revoke", url.Values{"token": {token}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		t.Errorf("revoke after the flood: %d %s", res.StatusCode, body)
	}
}
