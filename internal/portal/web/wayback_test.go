package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
)

func testFlows(t testing.TB, now func() time.Time) *Flows {
	t.Helper()
	var key secret.Key
	_, _ = rand.Read(key[:])
	box, err := secret.NewBox(key)
	if err != nil {
		t.Fatal(err)
	}
	return &Flows{Base: "/.truxe", Sealer: box.Sealer("way back"),
		Overflow: Overflow{cluster.NewLocal(cluster.LocalOptions{})}, Now: now}
}

// incompressible is n characters of a URL.
func incompressible(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)[:n]
}

// ED-08 what is sealed comes back as it was, short or long, in the address or in a place.
func TestWayComesBackAsItWas(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := testFlows(t, func() time.Time { return now })
	for _, n := range []int{1, compressFrom, 3000, 20_000, maxTarget - 4} {
		for _, fill := range []string{incompressible(n), strings.Repeat("a", n)} {
			want := Way{Host: "app.example.com", Port: "8443", Target: "/?q=" + fill, Flow: FlowHash(fill),
				Fragment: "/list?a=%20b",
				Ask:      identity.Assurance{MFA: true, MaxAge: 10 * time.Minute}, Begun: now}
			want.Target = want.Target[:min(len(want.Target), maxTarget)]
			id := f.Seal(context.Background(), want)
			if got, ok := f.Open(context.Background(), id); !ok || got != want {
				t.Fatalf("%d bytes: %v %.300v", n, ok, got)
			}
			if len(id) > longWay && n < 20_000 {
				t.Errorf("%d bytes are carried in an address of %d", n, len(id))
			}
		}
	}
}

// ED-08 a way is good for twelve hours.
func TestWayEndsAfterTwelveHours(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := testFlows(t, func() time.Time { return now })
	id := f.Seal(context.Background(), Way{Host: "app.example.com", Target: "/", Begun: now})
	now = now.Add(wayLife)
	if _, ok := f.Open(context.Background(), id); !ok {
		t.Error("gone before its time")
	}
	now = now.Add(time.Second)
	if _, ok := f.Open(context.Background(), id); ok {
		t.Error("good after twelve hours")
	}
}

// ED-08 a flood of long links takes the places there are and none that is in use: each way comes back, those before it
// too.
func TestFloodOfLongLinksPushesNoneOut(t *testing.T) {
	f := testFlows(t, time.Now)
	counted := &counting{Cluster: f.Overflow.Cluster}
	f.Overflow.Cluster = counted
	var ids, targets []string
	for range 4 * overflowPlaces {
		target := "/?q=" + incompressible(5000)
		ids, targets = append(ids, f.Seal(context.Background(), Way{Host: "app.example.com", Target: target,
			Begun: time.Now()})), append(targets, target)
	}
	if counted.longest != 30*time.Minute {
		t.Errorf("a place is taken for %v, want 30 minutes: the next long link needs it", counted.longest)
	}
	placed := 0
	for i, id := range ids {
		if way, ok := f.Open(context.Background(), id); !ok || way.Target != targets[i] {
			t.Fatalf("the way of link %d is gone", i)
		}
		if strings.Contains(id, ".") {
			placed++
		}
	}
	if placed < overflowPlaces/2 || placed > overflowPlaces || counted.stored != placed {
		t.Errorf("%d ways in %d places, %d values stored", placed, overflowPlaces, counted.stored)
	}
	for _, id := range []string{"0.", "0.AAAAAAAAAAAAAAAAAAAAAA", "256.x", "-1.x", "+1.x", "01.x", "1.x.y", ".",
		strings.Repeat(".", 100)} {
		if _, ok := f.Open(context.Background(), id); ok {
			t.Errorf("%q is a way", id)
		}
	}
}

type counting struct {
	cluster.Cluster
	stored  int
	longest time.Duration
}

func (c *counting) PutNew(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	ok, err := c.Cluster.PutNew(ctx, key, value, ttl)
	if ok {
		c.stored++
	}
	c.longest = max(c.longest, ttl)
	return ok, err
}

// ED-08 nothing that a client sends as a way back panics, and what is a way leads to a path of this host.
func FuzzWayBack(f *testing.F) {
	flows := testFlows(f, time.Now)
	way := Way{Host: "a.test", Target: "/x?y=1", Begun: time.Now()}
	long := Way{Host: "a.test", Target: "/" + strings.Repeat("ab", 400), Begun: time.Now()}
	f.Add(way.encode(), flows.Sealer.Seal(way.encode()))
	f.Add(long.encode(), "0.AAAA")
	f.Add([]byte{wayVersion, flagDeflate}, "back")
	f.Fuzz(func(t *testing.T, raw []byte, id string) {
		flows.Open(context.Background(), id)
		got, ok := flows.Open(context.Background(), flows.Sealer.Seal(raw))
		if !ok {
			return
		}
		if LocalPath(got.Target) != got.Target || len(got.Target) > maxTarget || got.Host == "" {
			t.Fatalf("%+v", got)
		}
		if again, ok := decodeWay(got.encode()); !ok || again != got {
			t.Fatalf("%+v is read as %+v", got, again)
		}
	})
}

// ED-08 R14 sealing the longest deep link that usual proxies pass on leaves little garbage: what is sealed, and the
// text.
func TestSealingALongWayLeavesLittleGarbage(t *testing.T) {
	f := testFlows(t, time.Now)
	target, least := "/?q="+incompressible(16_000), uint64(1<<30)
	for range 20 { // rooms that are used again are made once, and a collection takes them
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f.Sealer.Seal((&Way{Host: "app.example.com", Target: target, Begun: time.Now()}).encode())
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	if least > 40<<10 {
		t.Errorf("%d bytes", least)
	}
}

// The cost of an anonymous navigation's way back, with a short and with a long target.
func BenchmarkSealWay(b *testing.B) {
	f := testFlows(b, time.Now)
	for name, target := range map[string]string{"short": "/orders/7?x=1", "long": "/?q=" + incompressible(16_000)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Sealer.Seal((&Way{Host: "app.example.com", Target: target, Begun: time.Now()}).encode())
			}
		})
	}
}
