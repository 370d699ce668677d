package edges

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// perConfig is how many requests each drawn configuration gets.
const perConfig = 80

// TestRandomConfigurationsAgreeWithTheModel generates Caddyfiles and requests and compares what reached the upstreams
// and what was answered with the model. A difference is printed with its configuration and request, both made as small
// as possible. No configuration may be refused. TRUXE_EDGES_REQUESTS is how many requests are sent (2,000),
// TRUXE_EDGES_SEED repeats a run, TRUXE_EDGES_FIRST begins it with one of its configurations.
//
// ED-01 ED-02 ED-03 ED-04 ED-05 ED-06 ED-13
func TestRandomConfigurationsAgreeWithTheModel(t *testing.T) {
	seed := number("TRUXE_EDGES_SEED", uint64(time.Now().UnixNano()))
	total := number("TRUXE_EDGES_REQUESTS", 2000)
	first := number("TRUXE_EDGES_FIRST", 0)
	t.Logf("TRUXE_EDGES_SEED=%d TRUXE_EDGES_REQUESTS=%d", seed, total)
	w := newWorld(t)
	began := time.Now()
	var sent, passed, refused, configs, chased uint64
	shown, reasons := map[string]int{}, map[string]int{}
	for index := first; sent < total; index++ {
		d := newDice(seed, index)
		c := drawConfig(d)
		if len(c.sites) == 0 {
			continue
		}
		configs++
		if err := w.load(c); err != nil { // every drawn configuration is one that the documents allow
			refused++
			if kind := kindOf(err.Error(), new(request)); reasons[kind] == 0 {
				reasons[kind]++
				t.Errorf("configuration %d is refused: %v\n%s", index, err, c.caddyfile(w.addresses()))
			}
			continue
		}
		for range perConfig {
			r := drawRequest(d, c, w.people)
			why, a := w.try(c, r)
			if sent++; len(a.seen) > 0 {
				passed++
			}
			if a.status == 302 && c.portal {
				chased++
			}
			if why == "" {
				continue
			}
			kind := kindOf(why, r)
			if shown[kind]++; shown[kind] > 1 || len(shown) > 16 {
				continue // one example of a kind is enough
			}
			small, asked, why := w.shrink(c, r, why)
			t.Errorf("configuration %d: %s\n%s\n%s", index, why, small.caddyfile(w.addresses()), w.readable(asked))
			if err := w.load(c); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d requests, %d reached an app, %d sign-ins led to a ticket or not, %d configurations, %d refused at the start, %v",
		sent, passed, chased, configs, refused, time.Since(began).Round(time.Second))
	for kind, n := range shown {
		t.Logf("%d x %s", n, kind)
	}
	if passed*8 < sent {
		t.Errorf("the drawn requests show too little")
	}
}

// try sends a request and compares.
func (w *world) try(c *config, r *request) (string, answer) {
	a, err := w.ask(r)
	if err != nil {
		return "no answer: " + err.Error(), a
	}
	why := w.compare(c, r, model(c, r), a)
	if why == "" && a.status == 302 && c.portal {
		why = w.chase(c, a)
	}
	return why, a
}

var ticketTo = regexp.MustCompile(`(https?://[^/"' ]+)/\.truxe/callback\?ticket=`)

// chase follows the way to the login page in a browser that is signed in at the single sign-on host, and says when its
// ticket leaves for an origin that is not configured.
func (w *world) chase(c *config, a answer) string {
	to, ok := strings.CutPrefix(a.header.Get("Location"), "https://"+portalHost)
	if !ok {
		return ""
	}
	if colon := strings.IndexByte(to, '/'); colon > 0 {
		to = to[colon:]
	}
	for range 3 {
		raw := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nCookie: __Host-truxe=%s\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: cross-site\r\n\r\n",
			to, portalHost, w.people[0].sessions[portalHost])
		next, err := w.send("https", false, "GET", raw)
		if err != nil {
			return "no answer of the portal: " + err.Error()
		}
		location := next.header.Get("Location")
		if m := ticketTo.FindStringSubmatch(location + " " + next.header.Get("Refresh") + " " + next.body); m != nil {
			if !w.named(c, m[1]) {
				return "a ticket leaves for " + m[1] + ", which the configuration does not name"
			}
			return ""
		}
		if !strings.HasPrefix(location, "/") {
			return ""
		}
		to = location
	}
	return ""
}

var (
	quoted = regexp.MustCompile(`map\[.*\]|"[^"]*"|\[[^\]]*\]|https?://\S+|\d+`)
	header = regexp.MustCompile(`[A-Za-z]+[-_.+][A-Za-z_.+-]+`)
)

// kindOf is a difference without its details, so that each kind is shown once.
func kindOf(why string, r *request) string {
	if why == "" {
		return ""
	}
	why, _, _ = strings.Cut(why, ", which is not")
	why, _, _ = strings.Cut(why, " (")
	kind := header.ReplaceAllString(quoted.ReplaceAllString(why, "…"), "…")
	if r.forward == nil && r.kind == "socket" {
		kind += " by a WebSocket"
	}
	if r.spelled == "odd" || r.spelled == "mild" {
		kind += " with a path that is spelled otherwise"
	}
	return kind
}

// readable is a request as bytes, with words in place of credentials.
func (w *world) readable(r *request) string {
	raw := r.raw(w.ports)
	for _, p := range w.people {
		raw = strings.NewReplacer(p.token, "<token of "+p.name+">", p.revokedToken,
			"<revoked token of "+p.name+">").Replace(raw)
		for host, value := range p.sessions {
			raw = strings.ReplaceAll(raw, value, "<session of "+p.name+" at "+host+">")
		}
		for host, value := range p.revoked {
			raw = strings.ReplaceAll(raw, value, "<ended session of "+p.name+" at "+host+">")
		}
	}
	return raw
}

func number(name string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}
