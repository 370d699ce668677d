package test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// answering is an app whose answers a test writes itself.
func answering(t testing.TB, h http.HandlerFunc) string {
	up := httptest.NewServer(h)
	t.Cleanup(up.Close)
	return strings.TrimPrefix(up.URL, "http://")
}

// plantedCookies are lines by which an app could give a browser a session of another user's choice: browsers read the
// name without the white space around it, and some read a line without a name as what stands after the "=".
var plantedCookies = []string{
	"__Host-truxe=planted; Path=/; Secure; HttpOnly", "__Host-truxe-flow=planted; Path=/; Secure",
	"__Host-truxe-device=planted; Path=/; Secure",
	"__host-TRUXE=planted; Path=/; Secure", " \t__Host-truxe =planted; Path=/; Secure",
	"=__Host-truxe=planted; Path=/; Secure", "__Host-truxe",
	"__Host-truxe; Path=/; Secure", "__Host-truxe.0=planted; Path=/; Secure", "= __Host-truxe=planted",
}

// keptCookies are the app's own.
var keptCookies = []string{"sid=1; Path=/; HttpOnly", "__Host-app=2; Path=/; Secure", "__Host-trux=3; Path=/; Secure",
	"x=__Host-truxe=4", "a__Host-truxe=5"}

// planting answers with both, in turns, on whatever kind of answer the path asks for.
func planting(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ws" || r.URL.Path == "/open/ws" {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSet-Cookie: %s\r\nSet-Cookie: %s\r\n\r\n", plantedCookies[0],
			keptCookies[0])
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	for i, line := range plantedCookies {
		w.Header().Add("Set-Cookie", line)
		if i < len(keptCookies) {
			w.Header().Add("Set-Cookie", keptCookies[i])
		}
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/hints"):
		w.Header().Set("Link", "</app.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusOK)
	case strings.HasSuffix(r.URL.Path, "/missing"):
		w.WriteHeader(http.StatusNotFound)
	case strings.HasSuffix(r.URL.Path, "/empty"):
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "/stream"):
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "data")
	default:
		_, _ = io.WriteString(w, "page")
	}
}

// ED-31 CWE-384: an app, or whoever can write into one of its answers, signs a visitor in as another user by setting
// the gateway's cookies on their shared host. No answer of an app names them, of whatever status, inside and outside
// the directive's matcher; the app's own cookies keep their bytes and order, and the gateway's own answers set theirs.
func TestAppCannotSetTheGatewaysCookies(t *testing.T) {
	app := answering(t, planting)
	s := tell(t, plot{sites: site("app.test", "\ttruxe {\n\t\tpublic /open/*\n\t}\n\treverse_proxy "+app) +
		site("matcher.test", "\ttruxe /admin/*\n\treverse_proxy "+app) +
		site("two.test", "\troute {\n\t\ttruxe {\n\t\t\tpublic /*\n\t\t}\n\t\ttruxe /in/*\n\t\treverse_proxy "+app+"\n\t}")})
	check := func(t *testing.T, where string, got []string) {
		t.Helper()
		if !slices.Equal(got, keptCookies) {
			t.Errorf("%s: Set-Cookie %q, want %q", where, got, keptCookies)
		}
	}
	for _, host := range []string{"app.test", "matcher.test", "two.test"} {
		pia := s.browser(host)
		pia.signIn("pia", piaPassword)
		session := pia.session()
		stranger := s.bare(host)
		for _, path := range []string{"/", "/missing", "/empty", "/stream", "/hints", "/admin/x", "/in/x"} {
			check(t, host+path, pia.get(path, navigate).header.Values("Set-Cookie"))
			if got := pia.session(); got != session {
				t.Fatalf("%s%s: the app changed the session cookie to %q", host, path, got)
			}
			if host != "app.test" && !strings.HasPrefix(path, "/admin") && !strings.HasPrefix(path, "/in") {
				check(t, host+path+" of a stranger", stranger.get(path, program).header.Values("Set-Cookie"))
			}
		}
		for _, path := range []string{"/open/x", "/open/missing"} {
			if host == "app.test" {
				check(t, host+path, stranger.get(path, program).header.Values("Set-Cookie"))
			}
		}
	}
	t.Run("HTTP/2", func(t *testing.T) {
		v := s.bare("matcher.test")
		v.c = s.g.ClientH2()
		check(t, "over HTTP/2", v.get("/", program).header.Values("Set-Cookie"))
	})
	t.Run("103", func(t *testing.T) {
		var mu sync.Mutex
		var hints []textproto.MIMEHeader
		req, _ := http.NewRequest(http.MethodGet, "https://matcher.test/hints", nil)
		res, err := s.g.Client().Do(req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				mu.Lock()
				defer mu.Unlock()
				hints = append(hints, h)
				return nil
			}})))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		mu.Lock()
		defer mu.Unlock()
		if len(hints) != 1 || hints[0].Get("Link") == "" {
			t.Fatalf("early hints %v", hints)
		}
		check(t, "early hints", hints[0]["Set-Cookie"])
		check(t, "the answer after them", res.Header["Set-Cookie"])
	})
	t.Run("101", func(t *testing.T) {
		conn := s.g.RawTLS("matcher.test")
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: matcher.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(err, res)
		}
		if got := res.Header["Set-Cookie"]; !slices.Equal(got, keptCookies[:1]) {
			t.Errorf("Set-Cookie %q of the upgrade, want %q", got, keptCookies[:1])
		}
	})
	t.Run("a gate behind a gate sets the cookies of its own answer", func(t *testing.T) {
		v := s.browser("two.test")
		if a := v.get("/in/x", navigate).want(http.StatusFound); a.setsCookie("__Host-truxe-flow") == "" {
			t.Errorf("Set-Cookie %q of a redirect to the sign-in", a.header["Set-Cookie"])
		}
		if a := s.bare("two.test").get("/in/x", program, []string{"Cookie",
			"__Host-truxe=a; __Host-truxe=b"}); a.setsCookie("__Host-truxe") == "" {
			t.Errorf("Set-Cookie %q of a refusal of two session cookies", a.header["Set-Cookie"])
		}
		a := s.bare("app.test").get("/open/x", program, []string{"Cookie", "__Host-truxe=a; __Host-truxe=b"}).want(200)
		if got := a.header["Set-Cookie"]; len(got) != len(keptCookies)+1 ||
			!strings.HasPrefix(a.setsCookie("__Host-truxe"), "__Host-truxe=; ") {
			t.Errorf("Set-Cookie %q of a public page asked with two session cookies", got)
		}
	})
}
