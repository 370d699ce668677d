package test

import (
	"net/http"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// R4 SE-17 FAULTS 2: an open WebSocket and an event stream on a node that lost Redis end when the node begins to
// refuse: at once with `on_loss deny`, at the end of the bound with `stale`, and not before; streams of public paths
// that no user signed in for run on.
func TestOpenStreamsEndWhenTheNodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		onLoss       string
		least, bound time.Duration
	}{
		"deny":  {"deny", 0, 2 * time.Second},
		"stale": {"stale 4s", 2 * time.Second, 5500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			redis := rig.Redis(t)
			s := tell(t, plot{options: "\t\tredis {env.TRUXE_REDIS} {\n\t\t\ton_loss " + c.onLoss + "\n\t\t}",
				env: []string{"TRUXE_REDIS=" + redis.URL()},
				sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM {\n\t\tstream_close_delay 1h\n\t}") +
					site("open.test", "\ttruxe {\n\t\tpublic /*\n\t}\n\treverse_proxy UPSTREAM")})
			pia := s.browser("app.test")
			pia.signIn("pia", piaPassword)
			ws, _, err := pia.socket("/ws", siteOrigin)
			if err != nil {
				t.Fatal(err)
			}
			public, _, err := s.bare("open.test").socket("/ws")
			if err != nil {
				t.Fatal(err)
			}
			socketEnded, eventsEnded, publicEnded := s.reads(ws), pia.events(), s.reads(public)

			redis.Kill()
			killed := time.Now()
			for c.least > 0 && time.Since(killed) < c.least {
				select {
				case <-socketEnded:
					t.Fatalf("the WebSocket was cut after %v, within its bound", time.Since(killed))
				case <-eventsEnded:
					t.Fatalf("the events were cut after %v, within their bound", time.Since(killed))
				case <-time.After(50 * time.Millisecond):
				}
			}
			within(t, max(time.Until(killed.Add(c.bound)), time.Second), "a WebSocket on the cut-off node", socketEnded)
			within(t, time.Second, "an event stream on the cut-off node", eventsEnded)
			pia.outage = true
			if a := pia.get("/", program); a.status != http.StatusServiceUnavailable {
				t.Errorf("a new request gets %d when the streams are cut", a.status)
			}
			select {
			case <-publicEnded:
				t.Error("a public stream was cut")
			default:
			}

			redis.Start()
			rig.WaitFor(t, 5*time.Second, "the node to serve again",
				func() bool { return pia.get("/", program).status == http.StatusOK })
			ws, _, err = pia.socket("/ws", siteOrigin)
			if err != nil {
				t.Fatalf("WebSocket after the outage: %v", err)
			}
			select {
			case <-s.reads(ws):
				t.Error("a WebSocket that was opened after the outage was cut")
			case <-time.After(500 * time.Millisecond):
			}
		})
	}
}
