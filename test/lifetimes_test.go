package test

import (
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// SE-10, SE-17 idle and absolute lifetime are enforced at the server: requests keep a session alive, reading its state
// and passive paths do not, and nothing extends it past its end. A stream ends with it.
func TestIdleAndAbsoluteLifetimeOfASession(t *testing.T) {
	s := tell(t, plot{
		options: "\t\tsession {\n\t\t\tidle 3s\n\t\t\tmax 9s\n\t\t\tremember 9s\n\t\t}",
		sites:   site("app.test", "\ttruxe {\n\t\tpassive /poll/*\n\t}\n\treverse_proxy UPSTREAM"),
	})
	active, reader, poller := s.browser("app.test"), s.browser("app.test"), s.browser("app.test")
	begun := time.Now() // the session of active begins now or later
	for _, v := range []*visitor{active, reader, poller} {
		v.signIn("pia", piaPassword).want(200)
	}
	start := time.Now()
	active.get("/x", program).want(200)
	ws, _, err := active.socket("/ws", siteOrigin)
	if err != nil {
		t.Fatal(err)
	}
	ended := s.reads(ws)
	for time.Since(start) < 5*time.Second {
		time.Sleep(time.Second)
		active.get("/x", program).want(200)
		reader.api("GET", "session", nil).want(200)
		poller.get("/poll/x", program).want(200, 401)
	}
	reader.get("/x", program).problem(401, "login_required")
	poller.get("/x", program).problem(401, "login_required")
	active.get("/x", program).want(200) // longer than idle after the sign-in
	rig.WaitFor(t, 7*time.Second, "max ends the active session", func() bool {
		time.Sleep(300 * time.Millisecond)
		return active.get("/x", program).status == 401
	})
	life := time.Since(begun)
	if life < 8*time.Second {
		t.Errorf("the session lived %v, want 9s", life)
	}
	timebound.Check(t, "the life of a session of 9 s", life, 11*time.Second)
	within(t, time.Minute, "the WebSocket of a session past its end", ended)
	active.signIn("pia", piaPassword)
	active.get("/x", program).want(200)
}
