package ratelimit

import (
	"fmt"
	"testing"
	"time"
)

func TestSiteLimitsEachKey(t *testing.T) {
	s := NewSite(Rate{10, time.Second})
	now := time.Now()
	for i := range 12 {
		l, ok := s.Allow("ip:192.0.2.1", now)
		if ok != (i < 10) || l.Name != NameSite || l.Quota != 10 || l.Window != time.Second {
			t.Fatalf("request %d: %v %+v", i, ok, l)
		}
		if !ok && (l.RetryAfter <= 0 || l.RetryAfter > 100*time.Millisecond) {
			t.Fatalf("come back in %s", l.RetryAfter)
		}
	}
	if _, ok := s.Allow("ip:192.0.2.2", now); !ok {
		t.Error("another client is refused too")
	}
	if _, ok := s.Allow("ip:192.0.2.1", now.Add(100*time.Millisecond)); !ok {
		t.Error("nothing came back")
	}
}

// F29 no double burst at the edge of a window.
func TestSiteHasNoWindowEdge(t *testing.T) {
	s := NewSite(Rate{100, time.Minute})
	now := time.Now()
	n := 0
	for i := range 1000 { // all within the last and first second of two windows
		if _, ok := s.Allow("k", now.Add(59*time.Second+time.Duration(i)*2*time.Millisecond)); ok {
			n++
		}
	}
	if n > 104 {
		t.Errorf("%d requests in two seconds with 100 a minute", n)
	}
}

// LK-12 a clock that steps frees no client before the step and does not panic.
func TestSiteSurvivesClockSteps(t *testing.T) {
	s := NewSite(Rate{2, time.Minute})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	allow := func() bool { _, ok := s.Allow("k", now); return ok }
	first, second, third := allow(), allow(), allow()
	if !first || !second || third {
		t.Fatal("2 a minute")
	}
	for _, step := range []time.Duration{-24 * time.Hour, 29 * time.Second, -100 * 365 * 24 * time.Hour} {
		if now = now.Add(step); allow() {
			t.Errorf("a step of %s freed the client", step)
		}
	}
	if now = now.Add(time.Second); !allow() {
		t.Error("after 30 s of real time one request comes back")
	}
}

// Calls that overtake each other by a moment do not make time run faster.
func TestSiteTimeIsNotInflatedByOvertakingCalls(t *testing.T) {
	s := NewSite(Rate{1, time.Hour})
	now := time.Now()
	s.Allow("k", now)
	for i := range 10_000 {
		if _, ok := s.Allow("k", now.Add(-time.Duration(i%2)*900*time.Millisecond)); ok {
			t.Fatalf("freed after %d calls at one moment", i)
		}
	}
}

// OP-06 a flood of addresses grows the table to its cap only, and real clients' limits still work.
func TestSiteFloodIsBounded(t *testing.T) {
	s := NewSite(Rate{5, time.Hour})
	now := time.Now()
	for range 5 {
		s.Allow("ip:victim", now)
	}
	for i := range 200_000 {
		s.Allow(fmt.Sprint("ip:", i), now)
	}
	if n := s.counters.Len(); n > maxSiteKeys {
		t.Errorf("%d keys kept", n)
	}
	if _, ok := s.Allow("ip:victim", now); ok {
		t.Error("the flood freed a throttled client")
	}
}

// R1 a rate that configuration should have refused refuses everything.
func TestSiteWithoutARateRefuses(t *testing.T) {
	for _, r := range []Rate{{}, {0, time.Second}, {1, 0}, {-1, time.Second}} {
		if r.Check() == nil {
			t.Errorf("%+v is called sound", r)
		}
		if _, ok := NewSite(r).Allow("k", time.Now()); ok {
			t.Errorf("%+v allows", r)
		}
	}
	if err := (Rate{5000, time.Second}).Check(); err != nil {
		t.Errorf("control: %v", err)
	}
}

func BenchmarkSiteAllow(b *testing.B) {
	s := NewSite(Rate{100_000, time.Second})
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		s.Allow("ip:192.0.2.1", now)
	}
}

// ED-31 R11: limits by name outlive whoever asks, a changed rate counts what was counted, and quiet sites are
// forgotten.
func TestSitesOutliveTheirConfiguration(t *testing.T) {
	var s Sites
	now, r := time.Now(), Rate{2, time.Hour}
	for range 2 {
		if _, ok := s.Allow("a", r, "k", now); !ok {
			t.Fatal("refused too early")
		}
	}
	for name, want := range map[string]bool{"a": false, "b": true} {
		if _, ok := s.Allow(name, r, "k", now); ok != want {
			t.Errorf("%s: %v", name, ok)
		}
	}
	if _, ok := s.Allow("a", Rate{3, time.Hour}, "k", now); ok {
		t.Error("another rate has forgotten what was counted")
	}
	if _, ok := s.Allow("a", Rate{3, time.Hour}, "k", now.Add(30*time.Minute)); !ok {
		t.Error("nothing is refilled at the new rate")
	}
	s.Allow("c", Rate{1000, time.Nanosecond}, "k", now)
	time.Sleep(time.Millisecond)
	if s.Purge(); len(s.byName) != 2 {
		t.Errorf("%d sites, want the two that still count", len(s.byName))
	}
}
