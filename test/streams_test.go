package test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/truxeio/caddy-truxe/test/rig"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

var siteOrigin = []string{"Origin", "https://app.test"}

// events opens the server-sent events of the upstream and gives a channel that closes when they end.
func (v *visitor) events() (ended chan struct{}) {
	v.s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "https://"+v.host+"/sse", nil)
	if err != nil {
		v.s.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	if v.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+v.bearer)
	}
	client := *v.c
	client.Timeout = 0
	res, err := client.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		v.s.t.Fatalf("GET /sse: %v %v", res, err)
	}
	v.s.t.Cleanup(func() { _ = res.Body.Close() })
	r := bufio.NewReader(res.Body)
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data:") {
		v.s.t.Fatalf("first event %q %v", line, err)
	}
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := r.ReadString('\n'); err != nil {
				return
			}
		}
	}()
	return ended
}

// reads returns a channel that closes when a WebSocket ends, after it has echoed once.
func (s *story) reads(ws *websocket.Conn) (ended chan struct{}) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := ws.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		s.t.Fatal(err)
	}
	if _, msg, err := ws.Read(ctx); err != nil || string(msg) != "hello" {
		s.t.Fatalf("echo %q %v", msg, err)
	}
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, _, err := ws.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	return ended
}

func within(t *testing.T, bound time.Duration, what string, ended chan struct{}) {
	t.Helper()
	start := time.Now()
	select {
	case <-ended:
		timebound.Check(t, what, time.Since(start), bound)
	case <-time.After(timebound.Limit(bound)):
		t.Errorf("%s still runs after %v", what, timebound.Limit(bound))
	}
}

// SE-17 WebSocket and server-sent events are cut within a second of the revocation, by cookie and by token; those of
// others run on.
func TestStreamsAreCutWhenTheSessionIsRevoked(t *testing.T) {
	s := sessionSites.open(t)
	pia, bystander := s.browser("app.test"), s.browser("app.test")
	pia.signIn("pia", piaPassword)
	bystander.signIn("pia", piaPassword)
	token := s.login("app.test", "pia", piaPassword)
	holder := s.withBearer("app.test", token.Access)

	ws, _, err := pia.socket("/ws", siteOrigin)
	if err != nil {
		t.Fatalf("WebSocket: %v", err)
	}
	byToken, _, err := holder.socket("/ws")
	if err != nil {
		t.Fatalf("WebSocket with a token: %v", err)
	}
	other, _, err := bystander.socket("/ws", siteOrigin)
	if err != nil {
		t.Fatalf("WebSocket: %v", err)
	}
	wsEnded, tokenEnded, otherEnded := s.reads(ws), s.reads(byToken), s.reads(other)
	sseEnded, tokenEvents := pia.events(), holder.events()
	time.Sleep(200 * time.Millisecond)
	for name, ended := range map[string]chan struct{}{"WebSocket": wsEnded, "events": sseEnded,
		"WebSocket by token": tokenEnded, "events by token": tokenEvents} {
		select {
		case <-ended:
			t.Errorf("%s ended before the revocation", name)
		default:
		}
	}

	s.bare("app.test").do("POST", "/.truxe/api/v1/revoke", values("token", token.Access), sendsForm).want(200)
	within(t, time.Second, "a WebSocket of a revoked token", tokenEnded)
	within(t, time.Second, "the events of a revoked token", tokenEvents)
	pia.form("logout").want(303)
	within(t, time.Second, "a WebSocket after logout", wsEnded)
	within(t, time.Second, "the events after logout", sseEnded)
	select {
	case <-otherEnded:
		t.Error("the WebSocket of another session was cut too")
	default:
	}
	rig.WaitFor(t, 5*time.Second, "the upstream has the bystander's stream alone",
		func() bool { return s.up.Streams() == 1 })
}

// SE-18 a WebSocket with a cookie needs the Origin of the site or of `cors`; without a session there is none at all.
func TestWebSocketFromAnotherSiteIsRefused(t *testing.T) {
	s := sessionSites.open(t)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	for name, origin := range map[string][]string{
		"another site":   {"Origin", "https://evil.test"},
		"a sub-domain":   {"Origin", "https://x.app.test"},
		"a longer name":  {"Origin", "https://app.test.evil.test"},
		"another port":   {"Origin", "https://app.test:444"},
		"null":           {"Origin", "null"},
		"none":           {},
		"twice":          {"Origin", "https://app.test", "Origin", "https://evil.test"},
		"not an origin":  {"Origin", "app.test"},
		"user info":      {"Origin", "https://app.test@evil.test"},
		"cors, cut":      {"Origin", "https://spa.tes"},
		"cors over http": {"Origin", "http://spa.test"},
		// ED-05
		"http on https":        {"Origin", "http://app.test"},
		"http on https's port": {"Origin", "http://app.test:443"},
		"Fetch Metadata":       {"Origin", "https://app.test", "Sec-Fetch-Site", "same-site"},
		"Fetch Metadata twice": {"Origin", "https://evil.test", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site",
			"cross-site"},
	} {
		if ws, status, _ := pia.socket("/ws", origin); ws != nil || status != 403 {
			t.Errorf("Origin %s: status %d", name, status)
		}
	}
	if ws, status, _ := s.bare("app.test").socket("/ws", siteOrigin); ws != nil || status != 401 {
		t.Errorf("without a session: %d", status)
	}
	if n := len(s.up.Seen()); n > 0 {
		t.Errorf("the upstream received %d upgrades", n)
	}
	for name, origin := range map[string][]string{
		"own":                        {"Origin", "https://app.test"},
		"listed":                     {"Origin", "https://spa.test"},
		"listed, Fetch Metadata":     {"Origin", "https://spa.test", "Sec-Fetch-Site", "cross-site"},
		"port written":               {"Origin", "https://app.test:443"},
		"a proxy drops the port":     {"Origin", "https://app.test:8443", "Sec-Fetch-Site", "same-origin"}, // FIELD-CASES 16
		"a proxy writes port 443":    {"Origin", "https://app.test", "Host", "app.test:443"},
		"the address as it is asked": {"Origin", "https://app.test:9443", "Host", "app.test:9443"}, // a port mapped outside
	} {
		ws, _, err := pia.socket("/ws", origin)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s.reads(ws)
	}
}

// SE-19 no token that signs in is taken from a URL or a form body.
func TestTokensInTheURLDoNotSignIn(t *testing.T) {
	s := sessionSites.open(t)
	token := s.login("app.test", "pia", piaPassword)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	v := s.bare("app.test")
	for _, name := range []string{"access_token", "token", "bearer", "jwt", "id_token", "session", "__Host-truxe",
		"authorization"} {
		for _, value := range []string{token.Access, pia.session()} {
			v.get("/x?"+values(name, value), program).problem(401, "login_required")
			v.api("GET", "userinfo?"+values(name, value), nil).problem(401, "login_required")
			v.do("POST", "/x", values(name, value), sendsForm).problem(401, "login_required")
		}
	}
	v.do("POST", "/.truxe/api/v1/logout", values("access_token", token.Access), sendsForm).problem(401, "login_required")
	s.withBearer("app.test", token.Access).get("/x", program).want(200)
}

// SE-16 pages, API and redirects are never stored; the app's answers to a user vary by user.
func TestAnswersForUsersAreNotCached(t *testing.T) {
	s := sessionSites.open(t)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	for _, path := range []string{"/.truxe/", "/.truxe/login?switch=1", "/.truxe/login", "/.truxe/logout",
		"/.truxe/account", "/.truxe/account/sessions",
		"/.truxe/account/password", "/.truxe/confirm", "/.truxe/nowhere", "/.truxe/account/x.css", "/.truxe/api/v1/userinfo",
		"/.truxe/api/v1/session",
		"/.truxe/api/v1/sessions", "/.truxe/api/v1/nowhere", "/.well-known/change-password"} {
		a := pia.get(path, navigate)
		if a.status >= 500 || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, Cache-Control %q", path, a.status, a.header.Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/x", "/x/account.css", "/public/x"} {
		a := pia.get(path, program).want(200)
		if !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Cookie") &&
			!strings.Contains(a.header.Get("Cache-Control"), "private") {
			t.Errorf("%s: Vary %q, Cache-Control %q", path, a.header.Values("Vary"), a.header.Get("Cache-Control"))
		}
	}
}

// AZ-08 SE-17: a user a user who loses a role loses the WebSockets that were opened with it, of cookie and token,
// within a second; a user who gains one keeps them, and so do all others.
func TestLostRoleEndsOpenStreams(t *testing.T) {
	s := tell(t, plot{sites: site("app.test", "\ttruxe {\n\t\tallow role editor member\n\t}\n"+keptOpen)})
	s.user("eva", "an eager editor of orders", "editor")
	eva, pia := s.browser("app.test"), s.browser("app.test")
	eva.signIn("eva", "an eager editor of orders").want(200)
	pia.signIn("pia", piaPassword)
	bearer := s.withBearer("app.test", s.login("app.test", "eva", "an eager editor of orders").Access)
	open := func(v *visitor) chan struct{} {
		t.Helper()
		ws, _, err := v.socket("/ws", siteOrigin)
		if err != nil {
			t.Fatal(err)
		}
		return s.reads(ws)
	}
	of := map[string]chan struct{}{"cookie": open(eva), "token": open(bearer)}
	other := open(pia)
	s.cli("roles", "grant", "eva", "member")
	time.Sleep(time.Second)
	for name, ended := range of {
		select {
		case <-ended:
			t.Errorf("%s: a role more ended the stream", name)
		default:
		}
	}
	s.cli("roles", "revoke", "eva", "editor")
	for name, ended := range of {
		select {
		case <-ended:
		case <-time.After(2 * time.Second):
			t.Errorf("%s: the stream goes on without the role", name)
		}
	}
	select {
	case <-other:
		t.Error("another user's stream ended")
	default:
	}
}
