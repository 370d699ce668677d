package test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2 sends one request as HTTP/2 frames, so that names and values are what they are told to be: the status, 0 when the
// server reset the stream or the connection. Trailers follow the headers when there are any.
func (s *story) h2(fields [][2]string, trailers ...[2]string) int {
	s.t.Helper()
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.g.Port("https")),
		&tls.Config{ServerName: "app.test", RootCAs: s.g.Roots(), NextProtos: []string{"h2"}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		s.t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	block := func(list [][2]string) []byte {
		var b bytes.Buffer
		e := hpack.NewEncoder(&b)
		for _, f := range list {
			_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		return b.Bytes()
	}
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(fields), EndHeaders: true,
		EndStream: len(trailers) == 0})
	if len(trailers) > 0 {
		_ = framer.WriteData(1, false, []byte("body"))
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(trailers), EndHeaders: true,
			EndStream: true})
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return 0
		}
		switch f := frame.(type) {
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return 0
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			n, _ := strconv.Atoi(f.PseudoValue("status"))
			return n
		}
	}
}

// h2Request is a GET of path, or a POST with what comes behind it.
func h2Request(method, path string, more ...[2]string) [][2]string {
	return append([][2]string{{":method", method}, {":scheme", "https"}, {":authority", "app.test"}, {":path", path}},
		more...)
}

// HD-01 HD-02 HD-03 HD-09 the same forgeries as over HTTP/1.1, and those that only HTTP/2 can carry, as frames.
func TestForgedIdentityNeverReachesTheAppOverHTTP2(t *testing.T) {
	var matrix struct {
		Cases []struct{ ID, Over, Send, Body string }
	}
	ownMatrix(t, "identity_spoof_matrix.json", &matrix)
	s := spoofSite.open(t)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	ran, served := 0, 0
	try := func(id string, fields [][2]string, trailers ...[2]string) {
		for _, who := range []string{"anonymous", "pia"} {
			path, more := "/public/x", fields
			if who == "pia" {
				path, more = "/x", append([][2]string{{"cookie", "__Host-truxe=" + pia.session()}}, fields...)
			}
			method := "GET"
			if len(trailers) > 0 {
				method = "POST"
			}
			s.up.Forget()
			status := s.h2(h2Request(method, path, more...), trailers...)
			seen := s.up.Seen()
			ran++
			if len(seen) == 0 {
				if status != 0 && (status < 400 || status > 499) {
					t.Errorf("%s as %s: nothing was forwarded, yet the status is %d", id, who, status)
				}
				continue
			}
			served++
			checkIdentity(t, id, who, seen[0])
		}
	}
	for _, c := range matrix.Cases {
		if c.Over != "h1" || c.Body != "" || strings.HasPrefix(c.ID, "host/") || strings.Contains(c.Send, "HTTP/2") {
			continue
		}
		var fields [][2]string
		for _, line := range strings.Split(strings.TrimRight(c.Send, "\r\n"), "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			fields = append(fields, [2]string{strings.ToLower(name), strings.TrimSpace(value)})
		}
		try(c.ID, fields)
	}
	for id, fields := range map[string][][2]string{
		"host/h2-bad-field-name, upper case": {{"Remote-User", "attacker"}},
		"host/h2-bad-field-name, space":      {{"remote-user ", "attacker"}},
		"host/h2-bad-field-name, colon":      {{"remote:user", "attacker"}},
		"host/h2-value-control, CR LF":       {{"x-test", "a\r\nremote-user: attacker"}},
		"host/h2-value-control, LF":          {{"x-test", "a\nremote-user: attacker"}},
		"host/h2-value-control, NUL":         {{"x-test", "a\x00remote-user: attacker"}},
		"connection over HTTP/2":             {{"connection", "remote-user"}},
		"a pseudo header of ours":            {{":remote-user", "attacker"}},
		"a late pseudo header":               {{"x-a", "b"}, {":authority", "evil.example"}},
	} {
		try(id, fields)
	}
	for _, name := range []string{"remote-user", "remote_user", "x-truxe-user-id", "x-auth-user"} {
		try("trailer "+name, [][2]string{{"trailer", name}}, [2]string{name, "attacker"})
		try("unannounced trailer "+name, nil, [2]string{name, "attacker"})
	}
	if ran < 120 || served < 60 {
		t.Errorf("%d requests, %d reached the app", ran, served)
	}
	t.Logf("%d requests, %d reached the app", ran, served)
}

// SE-06 over HTTP/2 a cookie header may be cut into fields: one session cookie among others signs in, two of them do
// not.
func TestSessionCookieInSeveralHTTP2Fields(t *testing.T) {
	s := spoofSite.open(t)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	own := [2]string{"cookie", "__Host-truxe=" + pia.session()}
	if status := s.h2(h2Request("GET", "/x", [2]string{"cookie", "a=1"}, own, [2]string{"cookie", "b=2"})); status != 200 {
		t.Errorf("three cookie fields: %d", status)
	}
	s.up.Forget()
	other := [2]string{"cookie", "__Host-truxe=" + strings.Repeat("A", 43)}
	for _, fields := range [][][2]string{{own, other}, {other, own}} {
		if status := s.h2(h2Request("GET", "/x", fields...)); status != 401 {
			t.Errorf("two session cookies: %d", status)
		}
	}
	if got := s.up.Seen(); len(got) != 0 {
		t.Errorf("the app saw %d requests", len(got))
	}
}

// HD-09 AZ-05 a Host field that disagrees with :authority has no effect, or the request is refused.
func TestHostFieldBesideAuthorityHasNoEffect(t *testing.T) {
	s := spoofSite.open(t)
	s.up.Forget()
	status := s.h2(h2Request("GET", "/public/x", [2]string{"host", "evil.example"}))
	for _, seen := range s.up.Seen() {
		if got := strings.Join(seen.Get("Host"), ","); got != "app.test" {
			t.Errorf("the app sees Host %q", got)
		}
	}
	if status != 200 && (status < 400 || status > 421) && status != 0 {
		t.Errorf("status %d", status)
	}
}
