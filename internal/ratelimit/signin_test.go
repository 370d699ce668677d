package ratelimit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func guard(t testing.TB, l Limits) *Guard {
	t.Helper()
	g, err := New(cluster.NewLocal(cluster.LocalOptions{}), l, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// tries begins n attempts that all fail and returns how many were let through to the check.
func tries(t testing.TB, g *Guard, n int, a Attempt) (checked int) {
	t.Helper()
	for range n {
		try, err := g.Begin(context.Background(), a)
		if err != nil {
			if identity.CodeOf(err) != identity.CodeRateLimited {
				t.Fatal(err)
			}
			continue
		}
		try.Fail()
		checked++
	}
	return checked
}

// LK-01 five failures in five minutes per person, by default.
func TestSixthGuessIsThrottled(t *testing.T) {
	g := guard(t, Limits{})
	if n := tries(t, g, 20, Attempt{Person: "user:ada", Address: addr("192.0.2.1")}); n != 5 {
		t.Errorf("%d guesses were checked, want 5", n)
	}
	if n := tries(t, g, 1, Attempt{Person: "user:bob", Address: addr("192.0.2.1")}); n != 1 {
		t.Error("another person is throttled too")
	}
}

// LK-02 the caller folds spellings to one person; from many addresses it is still one counter.
func TestSpellingsAndAddressesShareThePersonsCounter(t *testing.T) {
	g := guard(t, Limits{})
	checked := 0
	for i := range 20 {
		checked += tries(t, g, 1, Attempt{Person: "user:ada", Address: addr(fmt.Sprintf("192.0.2.%d", i+1))})
	}
	if checked != 5 {
		t.Errorf("%d guesses from 20 addresses were checked", checked)
	}
}

// LK-04 one source that tries many users is limited though each of them stays below their limit.
func TestPasswordSprayFromOneAddressIsThrottled(t *testing.T) {
	g := guard(t, Limits{})
	checked := 0
	for i := range 200 {
		checked += tries(t, g, 1, Attempt{Person: fmt.Sprint("name:", i), Address: addr("198.51.100.7")})
	}
	if checked != 50 {
		t.Errorf("%d users were tried, want 50", checked)
	}
	if tries(t, g, 1, Attempt{Person: "name:1000", Address: addr("198.51.100.8")}) != 1 {
		t.Error("a neighbour's address is throttled too")
	}
}

// LK-05, R7 a stranger cannot lock a person out: a known device still signs in while the person, the address and the
// whole gateway are throttled.
func TestStrangerCannotLockOutAKnownDevice(t *testing.T) {
	g := guard(t, Limits{Total: Rate{60, 5 * time.Minute}})
	office := addr("203.0.113.9")
	tries(t, g, 100, Attempt{Person: "user:ada", Address: addr("198.51.100.7")})
	for i := range 500 { // the stranger sits behind the same address, and fills the gateway's limit
		tries(t, g, 1, Attempt{Person: fmt.Sprint("name:", i), Address: office})
		tries(t, g, 1, Attempt{Person: fmt.Sprint("name:", i), Address: addr(fmt.Sprintf("10.0.%d.1", i%256))})
	}
	if tries(t, g, 1, Attempt{Person: "user:ada", Address: office}) != 0 {
		t.Fatal("control: without a device the person should be throttled")
	}
	known := Attempt{Person: "user:ada", Address: office, Device: "d1"}
	try, err := g.Begin(context.Background(), known)
	if err != nil {
		t.Fatalf("the known device is locked out: %v", err)
	}
	if err := try.Succeed(context.Background()); err != nil {
		t.Fatal(err)
	}
	// A stolen device record is no way around: it has a limit of its own, and holds for its person only.
	if n := tries(t, g, 20, known); n != 5 {
		t.Errorf("%d guesses with the device were checked", n)
	}
	if n := tries(t, g, 20, Attempt{Person: "user:bob", Device: "d1"}); n != 5 {
		t.Errorf("%d guesses at another person", n)
	}
}

// R7 a gateway-wide flood of made-up names locks no known device, and ends by itself (Tinyauth's 256 fake names).
func TestFloodOfFakeNamesIsNoGlobalLock(t *testing.T) {
	g := guard(t, Limits{})
	checked := 0
	for i := range 3000 {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		checked += tries(t, g, 1, Attempt{Person: fmt.Sprint("name:", i), Address: a})
	}
	if checked < 1000 || checked > 1010 {
		t.Errorf("%d of 3000 were checked", checked)
	}
	if _, err := g.Begin(context.Background(), Attempt{Person: "user:ada", Device: "d",
		Address: addr("192.0.2.1")}); err != nil {
		t.Errorf("a known device is locked: %v", err)
	}
	_, err := g.Begin(context.Background(), Attempt{Person: "user:bob", Address: addr("192.0.2.1")})
	var e *identity.Error
	if !errors.As(err, &e) || e.RetryAfter > time.Second || fmt.Sprint(LimitsOf(err)) != "[total]" {
		t.Errorf("the flood's end is near for all: %v %+v", err, e)
	}
}

// LK-06 K parallel tries at the limit yield the limit in checks, also on two nodes that share Redis.
func TestParallelGuessesAreReservedBeforeTheyAreChecked(t *testing.T) {
	s := redistest.Start(t)
	var nodes []*Guard
	for range 2 {
		o, err := cluster.ParseURL(s.URL())
		if err != nil {
			t.Fatal(err)
		}
		c, err := cluster.Open(*o, slog.New(slog.NewTextHandler(io.Discard, nil)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		g, err := New(c, Limits{}, testKey)
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, g)
	}
	var checked atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 50 {
		wg.Go(func() {
			<-start
			checked.Add(int64(tries(t, nodes[i%2], 1, Attempt{Person: "user:ada", Address: addr("192.0.2.1")})))
		})
	}
	close(start)
	wg.Wait()
	if checked.Load() != 5 {
		t.Errorf("%d of 50 parallel guesses were checked", checked.Load())
	}
	// No name and no address can be read in Redis.
	for _, k := range s.Do("KEYS", "*").([]any) {
		for _, clear := range []string{"ada", "192.0.2.1", hex.EncodeToString([]byte("ada"))} {
			if strings.Contains(fmt.Sprint(k), clear) {
				t.Errorf("key %v tells %q", k, clear)
			}
		}
	}
	// FAULTS 2 without Redis nothing can be counted: no try, and not "too many" either (F30).
	s.Stop()
	_, err := nodes[0].Begin(context.Background(), Attempt{Person: "user:bob", Address: addr("192.0.2.2")})
	if identity.CodeOf(err) != identity.CodeStateUnavailable {
		t.Errorf("without Redis: %v", err)
	}
}

// LK-08 IPv6 is limited per /64, and IPv4-mapped IPv6 counts as its IPv4.
func TestAddressesOfOneCustomerAreOneSource(t *testing.T) {
	for _, same := range [][]string{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"},
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"fe80::1%eth0", "fe80::2%eth1"},
	} {
		if a, b := Source(addr(same[0])), Source(addr(same[1])); a != b || a == "" {
			t.Errorf("%v are %q and %q", same, a, b)
		}
	}
	for _, other := range [][]string{{"2001:db8:1:2::1", "2001:db8:1:3::1"}, {"192.0.2.1", "192.0.2.2"},
		{"::1", "127.0.0.1"},
		{"::192.0.2.1", "192.0.2.1"}} {
		if Source(addr(other[0])) == Source(addr(other[1])) {
			t.Errorf("%v are one source", other)
		}
	}
	g := guard(t, Limits{Address: Rate{3, time.Hour}})
	checked := 0
	for i := range 20 {
		checked += tries(t, g, 1, Attempt{Person: fmt.Sprint(i), Address: addr(fmt.Sprintf("2001:db8::%x", i+1))})
	}
	if checked != 3 {
		t.Errorf("%d tries from one /64 were checked", checked)
	}
}

// Clients without an address do not share one counter that locks them all; person and gateway still count.
func TestClientsWithoutAddressDoNotLockEachOther(t *testing.T) {
	g := guard(t, Limits{Address: Rate{3, time.Hour}})
	checked := 0
	for i := range 20 {
		checked += tries(t, g, 1, Attempt{Person: fmt.Sprint(i)})
	}
	if checked != 20 {
		t.Errorf("%d of 20 users were let through", checked)
	}
	if n := tries(t, g, 20, Attempt{Person: "user:ada"}); n != 5 {
		t.Errorf("%d guesses at one person", n)
	}
}

// LK-09 a throttled call says when to come back, and nothing about the account.
func TestThrottledAnswerTellsNothingOfTheAccount(t *testing.T) {
	g := guard(t, Limits{})
	answer := func(a Attempt) (identity.Error, []string) {
		t.Helper()
		tries(t, g, 5, a)
		_, err := g.Begin(context.Background(), a)
		var e *identity.Error
		if !errors.As(err, &e) {
			t.Fatalf("not throttled: %v", err)
		}
		out := *e
		out.RetryAfter = out.RetryAfter.Round(time.Minute)
		if e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
			t.Errorf("come back in %s", e.RetryAfter)
		}
		out.Err = nil
		return out, LimitsOf(err)
	}
	known, knownNames := answer(Attempt{Person: "user:ada", Address: addr("192.0.2.1")})
	unknown, unknownNames := answer(Attempt{Person: "name:nobody", Address: addr("192.0.2.1")})
	device, deviceNames := answer(Attempt{Person: "user:ada", Address: addr("192.0.2.1"), Device: "d"})
	if known != unknown || known != device || known.Code != identity.CodeRateLimited || known.Detail == "" {
		t.Errorf("answers differ: %+v %+v %+v", known, unknown, device)
	}
	if got := fmt.Sprint(knownNames, unknownNames, deviceNames); got != "[login] [login] [login]" {
		t.Errorf("names differ: %s", got)
	}
}

// LK-11 the names of all limits that were hit are there for the body, and none that was not.
func TestNamesOfTheLimitsHit(t *testing.T) {
	g := guard(t, Limits{Person: Rate{2, time.Hour}, Address: Rate{2, 2 * time.Hour}})
	a := Attempt{Person: "user:ada", Address: addr("192.0.2.1")}
	tries(t, g, 2, a)
	_, err := g.Begin(context.Background(), a)
	if got := fmt.Sprint(LimitsOf(err)); got != "[login address]" {
		t.Errorf("hit %s", got)
	}
	var e *identity.Error
	if !errors.As(err, &e) || e.RetryAfter < 59*time.Minute || e.RetryAfter > time.Hour {
		t.Errorf("the longest wait counts: %+v", e)
	}
	if LimitsOf(io.EOF) != nil {
		t.Error("names for another error")
	}
}

// LK-13 success clears the failures of that account only.
func TestSuccessClearsThatAccountOnly(t *testing.T) {
	g := guard(t, Limits{})
	ada := Attempt{Person: "user:ada", Address: addr("192.0.2.1")}
	bob := Attempt{Person: "user:bob", Address: addr("192.0.2.1")}
	tries(t, g, 4, ada)
	tries(t, g, 4, bob)
	try, err := g.Begin(context.Background(), ada)
	if err != nil {
		t.Fatal(err)
	}
	if err := try.Succeed(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(try.Succeed(context.Background()), try.Abandon(context.Background())); err != nil {
		t.Fatal(err)
	}
	if n := tries(t, g, 10, ada); n != 5 {
		t.Errorf("after success %d tries, want a whole burst", n)
	}
	if n := tries(t, g, 10, bob); n != 1 {
		t.Errorf("bob has %d tries left, want 1: another's success cleared his failures", n)
	}
	// A stranger's own success does not help against the address: 4+4 failures, then 5+1 more were counted.
	if got := remaining(t, g, "192.0.2.1"); got != 50-4-4-5-1-1 {
		t.Errorf("%d left for the address", got)
	}
}

// remaining spends another counted attempt and returns what is left for the address after it.
func remaining(t *testing.T, g *Guard, address string) int {
	t.Helper()
	try, err := g.Begin(context.Background(), Attempt{Person: fmt.Sprint("probe", time.Now().UnixNano()),
		Address: addr(address)})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range try.limits {
		if l.Name == NameAddress {
			return l.Remaining
		}
	}
	t.Fatal("no limit for the address")
	return 0
}

// F23 200 users behind one address sign in and do not use up each other's attempts.
func TestSuccessesNeverCountAsFailures(t *testing.T) {
	g := guard(t, Limits{})
	for i := range 200 {
		try, err := g.Begin(context.Background(), Attempt{Person: fmt.Sprint("user:", i%20), Address: addr("203.0.113.9")})
		if err != nil {
			t.Fatalf("sign-in %d: %v", i, err)
		}
		if err := try.Succeed(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// A busy gateway checked nothing, so nothing is counted.
func TestAbandonedTriesAreGivenBack(t *testing.T) {
	g := guard(t, Limits{})
	a := Attempt{Person: "user:ada", Address: addr("192.0.2.1")}
	for i := range 100 {
		try, err := g.Begin(context.Background(), a)
		if err != nil {
			t.Fatalf("try %d: %v", i, err)
		}
		if err := errors.Join(try.Abandon(context.Background()), try.Abandon(context.Background())); err != nil {
			t.Fatal(err)
		}
	}
	if n := tries(t, g, 10, a); n != 5 {
		t.Errorf("%d tries afterwards, want the burst of 5: twice abandoned gives back once", n)
	}
}

func TestGuardRefusesNonsense(t *testing.T) {
	c := cluster.NewLocal(cluster.LocalOptions{})
	if _, err := New(c, Limits{}, []byte("short")); err == nil {
		t.Error("short key accepted")
	}
	for _, l := range []Limits{{Person: Rate{5, 0}}, {Address: Rate{0, time.Second}}, {Total: Rate{-1, time.Second}}} {
		if _, err := New(c, l, testKey); err == nil {
			t.Errorf("%+v accepted", l)
		}
	}
}
