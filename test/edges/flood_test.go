package edges

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// TestFlood sends anonymous requests of every kind to one node and looks at what stays: memory, the store's file,
// Redis, goroutines and descriptors. A sign-in that was begun before the flood must end at its page after it, and a
// revocation must be possible. TRUXE_FLOOD_REQUESTS (10,000) are sent to each of the two nodes; `make flood` sends a
// million.
//
// ED-08 ED-10
func TestFlood(t *testing.T) {
	requests := number("TRUXE_FLOOD_REQUESTS", 10_000)
	t.Run("SQLite", func(t *testing.T) { flood(t, requests, nil) })
	t.Run("Redis", func(t *testing.T) {
		flood(t, requests, rig.Redis(t, "--maxmemory", "48mb", "--maxmemory-policy", "noeviction"))
	})
}

// Bounds of what may stay. They hold for any number of requests: what is kept of strangers is bounded, not rare.
const (
	memoryStays = 32 << 20
	storeStays  = 16 << 20
	thingsStay  = 20 // goroutines and descriptors
)

func flood(t *testing.T, requests uint64, shared *rig.RedisServer) {
	dir, err := os.MkdirTemp("", "truxe-flood-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	writeUsers(t, dir, cast())
	g := rig.Gateway(t, rig.Options{Caddyfile: floodCaddyfile(shared), Dir: dir})
	token, _ := login(t, g, "alice")
	way := beginSignIn(t, g)

	// What serves the first requests of each kind is there before: pages, compiled rules, statements, connections. And the
	// heap has had its usual garbage, which resident memory shows.
	pour(t, g, 500, 1, floodKinds)
	pour(t, g, 3000, 2, slices.DeleteFunc(slices.Clone(floodKinds), func(k floodKind) bool { return k.name != "refusal" }))
	before := measure(t, g, shared)
	began := time.Now()
	statuses := pour(t, g, requests, 3, floodKinds)
	took := time.Since(began)
	var after figures
	rig.WaitFor(t, 30*time.Second, "goroutines and descriptors are as before", func() bool {
		after = measure(t, g, shared)
		return after.goroutines <= before.goroutines+thingsStay && after.descriptors <= before.descriptors+thingsStay
	})
	t.Logf("%d requests in %v (%.0f/s)%s", requests, took.Round(time.Second), float64(requests)/took.Seconds(), statuses)
	t.Logf("\n| | before | after |\n|---|---|---|\n%s", table(before, after, shared != nil))

	for _, bound := range []struct {
		what          string
		before, after int64
		stays         int64
	}{
		{"heap", before.heap, after.heap, memoryStays},
		{"resident memory", before.resident, after.resident, memoryStays},
		{"files of the store", before.store, after.store, storeStays},
		{"memory of Redis", before.redis, after.redis, storeStays},
	} {
		if bound.after-bound.before > bound.stays {
			t.Errorf("%s: %s before and %s after, which is more than %s of strangers", bound.what, mega(bound.before),
				mega(bound.after), mega(bound.stays))
		}
	}
	way.finish()
	call(t, g, http.MethodGet, "app.test", "userinfo", token, nil, "", http.StatusOK)
	revoke(t, g, token)
	call(t, g, http.MethodGet, "app.test", "userinfo", token, nil, "", http.StatusUnauthorized)
}

func floodCaddyfile(shared *rig.RedisServer) string {
	options := ""
	if shared != nil { // single sign-on, and the ways back of two hosts
		options = "\t\tredis " + shared.URL() + "\n\t\tportal " + portalHost + "\n"
	}
	portal := portalHost + " {\n\ttruxe portal\n}\n"
	if shared == nil {
		portal = portalHost + " {\n\ttruxe\n\trespond ok\n}\n"
	}
	return "{\n\tlog {\n\t\tlevel ERROR\n\t}\n\ttruxe {\n\t\tusers_file {{dir}}/users.yaml\n\t\tjwt {\n\t\t\tissuer https://issuer.test\n\t\t}\n\t\tpassword {\n\t\t\thash bcrypt 10\n\t\t}\n" +
		options + "\t}\n}\n" + portal +
		"app.test, one.test {\n\t@closed path /closed/*\n\ttruxe @closed {\n\t\trequire network 192.0.2.0/24\n\t}\n\ttruxe {\n\t\tpublic /open/*\n\t}\n\trespond \"the app\"\n}\n"
}

// pour sends requests of all kinds over a few connections from many addresses and returns how they were answered.
func pour(t *testing.T, g *rig.Caddy, requests, seed uint64, kinds []floodKind) string {
	t.Helper()
	const workers = 6
	const perConnection = 500
	var sent, failed atomic.Uint64
	var first atomic.Value
	var mu sync.Mutex
	counts := map[string]map[int]int{}
	var wg sync.WaitGroup
	for n := range uint64(workers) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			d := newDice(seed, n)
			own := map[string]map[int]int{}
			for sent.Load() < requests {
				c, err := dialFrom(g, net.IPv4(127, byte(1+d.IntN(250)), byte(d.IntN(250)), byte(1+d.IntN(250))))
				if err != nil {
					failed.Add(1)
					first.CompareAndSwap(nil, err.Error())
					continue
				}
				for range perConnection {
					if sent.Add(1) > requests {
						break
					}
					kind := kinds[d.IntN(len(kinds)+4)%len(kinds)] // navigations twice as often
					raw, name := kind.raw, kind.name
					if d.oneIn(2000) {
						raw, name = rareRequest, "sign-in of no user"
					}
					status, more, err := c.ask(raw(d))
					if err != nil {
						failed.Add(1)
						first.CompareAndSwap(nil, name+": "+err.Error())
						break
					}
					if own[name] == nil {
						own[name] = map[int]int{}
					}
					own[name][status]++
					if !more {
						break
					}
				}
				_ = c.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			for name, statuses := range own {
				if counts[name] == nil {
					counts[name] = map[int]int{}
				}
				for status, n := range statuses {
					counts[name][status] += n
				}
			}
		}()
	}
	wg.Wait()
	if failed.Load()*100 > requests {
		t.Errorf("%d requests got no answer, the first: %v", failed.Load(), first.Load())
	}
	var w strings.Builder
	for _, kind := range kinds {
		fmt.Fprintf(&w, "\n%s: %v", kind.name, counts[kind.name])
		for status := range counts[kind.name] {
			if status == 500 || status > 503 {
				t.Errorf("%s: answered %d", kind.name, status)
			}
		}
	}
	return w.String()
}

func dialFrom(g *rig.Caddy, from net.IP) (*wire, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 10 * time.Second}
	conn, err := d.Dial("tcp", "127.0.0.1:"+strconv.Itoa(g.Port("https")))
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, &tls.Config{ServerName: "app.test", InsecureSkipVerify: true,
		NextProtos: []string{"http/1.1"}})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &wire{secure, bufio.NewReader(secure)}, nil
}

// ask sends one request. More reports whether the connection takes another one.
func (c *wire) ask(raw string) (status int, more bool, err error) {
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, raw); err != nil {
		return 0, false, err
	}
	res, err := http.ReadResponse(c.br, &http.Request{Method: raw[:strings.IndexByte(raw, ' ')]})
	if err != nil {
		return 0, false, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode, !res.Close, err
}

// figures are what a node has in use, in bytes and numbers.
type figures struct {
	heap, resident, store, redis int64
	goroutines, descriptors      int64
}

var (
	goroutineTotal = regexp.MustCompile(`goroutine profile: total (\d+)`)
	residentSize   = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)
	usedMemory     = regexp.MustCompile(`used_memory:(\d+)`)
)

// measure collects garbage and reads what is in use.
func measure(t *testing.T, g *rig.Caddy, shared *rig.RedisServer) figures {
	t.Helper()
	for range 3 { // caches of sync.Pool live for two collections
		g.Admin(http.MethodGet, "/debug/pprof/heap?gc=1", nil)
	}
	var vars struct {
		Memory struct{ HeapAlloc int64 } `json:"memstats"`
	}
	_, raw := g.Admin(http.MethodGet, "/debug/vars", nil)
	if err := json.Unmarshal(raw, &vars); err != nil {
		t.Fatalf("read /debug/vars: %v", err)
	}
	f := figures{heap: vars.Memory.HeapAlloc}
	_, raw = g.Admin(http.MethodGet, "/debug/pprof/goroutine?debug=1", nil)
	f.goroutines = find(t, goroutineTotal, string(raw))
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID()))
	if err != nil {
		t.Fatal(err)
	}
	f.resident = find(t, residentSize, string(status)) << 10
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.PID()))
	if err != nil {
		t.Fatal(err)
	}
	f.descriptors = int64(len(open))
	files, _ := filepath.Glob(filepath.Join(g.DataDir(), "truxe", "truxe.db*"))
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			f.store += info.Size()
		}
	}
	if f.store == 0 {
		t.Fatalf("no store in %s", g.DataDir())
	}
	if shared != nil {
		f.redis = find(t, usedMemory, shared.Do("INFO", "memory"))
	}
	return f
}

func find(t *testing.T, pattern *regexp.Regexp, text string) int64 {
	t.Helper()
	m := pattern.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%s is not in %.200s", pattern, text)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func table(before, after figures, redis bool) string {
	rows := fmt.Sprintf("| heap after a collection | %s | %s |\n| resident memory | %s | %s |\n| SQLite with its log | %s | %s |\n",
		mega(before.heap), mega(after.heap), mega(before.resident), mega(after.resident), mega(before.store),
		mega(after.store))
	if redis {
		rows += fmt.Sprintf("| Redis | %s | %s |\n", mega(before.redis), mega(after.redis))
	}
	return rows + fmt.Sprintf("| goroutines | %d | %d |\n| descriptors | %d | %d |", before.goroutines, after.goroutines,
		before.descriptors, after.descriptors)
}

func mega(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
