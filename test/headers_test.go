package test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

var spoofSite = share(plot{sites: site("app.test", `	truxe {
		public / /public/*
		header X-Auth-User {http.auth.user.name}
		header X-Forwarded-User {http.auth.user.name}
	}
	reverse_proxy UPSTREAM`)})

// ours are the names of CONTRACT section 4 and the two configured ones.
var ours = append([]string{"X-Truxe-Jwt-Assertion", "X-Auth-User", "X-Forwarded-User"}, identityNames...)

// cgi is how CGI and PHP read a header's name.
func cgi(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 32
		}
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

// raw sends bytes on a connection of their own and reads until a moment of silence.
func (s *story) raw(text string) string {
	s.t.Helper()
	return s.rawTo("app.test", text)
}

// rawTo is raw for another host.
func (s *story) rawTo(host, text string) string {
	s.t.Helper()
	conn := s.g.RawTLS(host)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte(text)); err != nil {
		return ""
	}
	var all bytes.Buffer
	buf := make([]byte, 8192)
	silence := 2 * time.Second // before the first byte
	for ; ; silence = 400 * time.Millisecond {
		_ = conn.SetReadDeadline(time.Now().Add(silence))
		n, err := conn.Read(buf)
		all.Write(buf[:n])
		if err != nil {
			return all.String()
		}
	}
}

// HD-01 HD-02 HD-03 HD-07 HD-09: every way of forging an identity header, sent raw, anonymous on a public path and as
// a user with few rights: what the app sees is the gateway's word or nothing.
func TestForgedIdentityNeverReachesTheApp(t *testing.T) {
	var matrix struct {
		Cases []struct{ ID, Over, Send, Body, Expect, Kept string }
	}
	ownMatrix(t, "identity_spoof_matrix.json", &matrix)
	s := spoofSite.open(t)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	cookie := "Cookie: __Host-truxe=" + pia.session() + "\r\n"
	ran := 0
	for _, c := range matrix.Cases {
		if c.Over != "h1" || strings.Contains(c.Send, "HTTP/2") {
			continue // cases that are HTTP/2 frames
		}
		for who, extra := range map[string]string{"anonymous": "", "pia": cookie} {
			path := "/public/x"
			if who == "pia" {
				path = "/x"
			}
			method := "GET"
			if c.Body != "" {
				method = "POST"
			}
			s.up.Forget()
			answer := s.raw(method + " " + path + " HTTP/1.1\r\nHost: app.test\r\n" + c.Send + "\r\n" + extra +
				"Connection: close\r\n\r\n" + c.Body)
			seen := s.up.Seen()
			ran++
			if len(seen) == 0 {
				if !strings.HasPrefix(answer, "HTTP/1.1 4") {
					t.Errorf("%s as %s: nothing was forwarded, yet the answer is %.60q", c.ID, who, answer)
				}
				continue
			}
			checkIdentity(t, c.ID, who, seen[0])
		}
	}
	if ran < 100 {
		t.Errorf("only %d cases ran", ran)
	}
}

// checkIdentity wants each of our names once with the gateway's value, or not at all, also where CGI folds names.
func checkIdentity(t *testing.T, id, who string, seen rig.Seen) {
	t.Helper()
	for _, name := range ours {
		var values []string
		for _, f := range append(append([]rig.Field{}, seen.Header...), seen.Trailer...) {
			if cgi(f.Name) == cgi(name) {
				values = append(values, f.Value)
			}
		}
		for _, v := range values {
			if strings.Contains(strings.ToLower(v), "attacker") || strings.Contains(v, "root") {
				t.Errorf("%s as %s: the app sees %s: %q", id, who, name, v)
			}
		}
		if who == "anonymous" && len(values) > 0 {
			t.Errorf("%s: anonymous, yet the app sees %s: %q", id, name, values)
		}
		if who == "pia" && len(values) > 1 {
			t.Errorf("%s: the app sees %s %d times: %q", id, name, len(values), values)
		}
	}
	if who == "pia" && strings.Join(seen.Get("Remote-User"), ",") != "pia" {
		t.Errorf("%s: Remote-User is %q", id, seen.Get("Remote-User"))
	}
	for _, f := range seen.Header {
		if strings.EqualFold(f.Name, "Cookie") && strings.Contains(f.Value, "__Host-truxe") {
			t.Errorf("%s: the app sees our cookie", id)
		}
		if strings.EqualFold(f.Name, "Upgrade") && strings.Contains(strings.ToLower(f.Value), "h2c") {
			t.Errorf("%s: h2c is passed on", id)
		}
	}
}

// HD-08: framing tricks are refused, or arrive as one clean message; the request hidden behind them never does.
func TestSmuggledRequestNeverReachesTheApp(t *testing.T) {
	var matrix struct {
		Cases []struct{ ID, Raw, Expect string }
	}
	ownMatrix(t, "smuggling_raw.json", &matrix)
	s := spoofSite.open(t)
	for _, c := range matrix.Cases {
		s.up.Forget()
		answer := s.raw(c.Raw)
		var seen []rig.Seen
		for _, r := range s.up.Seen() {
			if strings.Contains(r.Target, "admin") {
				t.Errorf("%s: the hidden request reached the app: %s %s", c.ID, r.Method, r.Target)
			}
			if r.Problem == "" { // the proxy gave up on the others, so no app takes them for a request
				seen = append(seen, r)
			}
		}
		if c.Expect == "refused" && (len(seen) > 0 || strings.HasPrefix(answer, "HTTP/1.1 2") ||
			strings.HasPrefix(answer, "HTTP/1.1 3")) {
			t.Errorf("%s: %d requests reached the app, answer %.60q", c.ID, len(seen), answer)
		}
		if len(seen) > 1 {
			t.Errorf("%s: %d requests reached the app", c.ID, len(seen))
		}
	}
	s.up.Forget()
	if answer := s.raw("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(answer,
		"HTTP/1.1 200") || len(s.up.Seen()) != 1 {
		t.Errorf("control: %.80q", answer)
	}
}
