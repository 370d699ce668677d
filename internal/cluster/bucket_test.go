package cluster

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
	"pgregory.net/rapid"
)

// Why give does not use Reservation.CancelAt: a try that could happen at once is not given back later. Should the
// library change its mind, this test says so.
func TestCancelGivesNothingBackLater(t *testing.T) {
	b := Bucket{Key: "k", Burst: 5, Window: 5 * time.Minute}
	at := time.Unix(1_000_000, 0)
	later := at.Add(200 * time.Millisecond) // as long as a hash takes
	cancelled, given, atOnce := b.limiter(), b.limiter(), b.limiter()
	for _, l := range []*rate.Limiter{cancelled, given} {
		for range 4 {
			l.AllowN(at, 1)
		}
	}
	cancelled.ReserveN(at, 1).CancelAt(later)
	if cancelled.AllowN(later, 1) {
		t.Error("CancelAt gives back later: it can replace give")
	}
	given.AllowN(at, 1)
	give(given, later)
	if !given.AllowN(later, 1) || given.AllowN(later, 1) {
		t.Error("give must give back one event")
	}
	atOnce.ReserveN(at, 1).CancelAt(at)
	if got := b.look(atOnce, at); got.Remaining != 5 || got.ResetAfter != 0 {
		t.Errorf("control: at the time of the reservation nothing of it is left: %+v", got)
	}
}

// gcra is the same bucket as the Redis twin computes it: one number, when it is full again.
type gcra struct {
	Bucket
	full int64
}

func (g *gcra) take(now int64) bool {
	next := max(g.full, now) + int64(g.Interval())
	if next > now+int64(g.Interval())*int64(g.Burst) {
		return false
	}
	g.full = next
	return true
}

func (g *gcra) give(now int64) { g.full = max(g.full-int64(g.Interval()), now) }

func (g *gcra) look(now int64) LimitState {
	full := max(g.full, now)
	room := now + int64(g.Interval())*int64(g.Burst) - full
	s := LimitState{Key: g.Key, Limit: g.Burst, Remaining: int(room / int64(g.Interval())),
		ResetAfter: time.Duration(full - now)}
	if s.Remaining == 0 {
		s.RetryAfter = g.Interval() - time.Duration(room)
	}
	return s
}

// LK-06 LK-10 the limiter in the process and GCRA, which Redis computes, allow the same and report the same numbers,
// for any order of taking, giving back and waiting.
func TestLimiterAgreesWithGCRA(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Bucket{Key: "k", Burst: rapid.IntRange(1, 60).Draw(t, "burst")}
		b.Window = time.Duration(b.Burst) * time.Duration(rapid.Int64Range(10, 7_200_000_000).Draw(t,
			"interval in µs")) * time.Microsecond
		now := int64(time.Hour)
		wall := time.Unix(0, now)
		c := NewCounters(0, func() time.Time { return wall })
		model := &gcra{Bucket: b}
		start := now
		for _, op := range rapid.SliceOfN(rapid.IntRange(0, 9), 50, 200).Draw(t, "ops") {
			switch {
			case op < 5:
				out, err := c.Reserve([]Bucket{b})
				if err != nil {
					t.Fatal(err)
				}
				if want := model.take(now); out.Allowed != want {
					t.Fatalf("allowed %v, GCRA %v, %v after the start", out.Allowed, want, time.Duration(now-start))
				}
				want, got := model.look(now), out.Limits[0]
				if got.Remaining != want.Remaining || (got.ResetAfter-want.ResetAfter).Abs() > time.Microsecond ||
					(got.RetryAfter-want.RetryAfter).Abs() > time.Microsecond {
					t.Fatalf("%+v, GCRA %+v", got, want)
				}
			case op == 5:
				if err := c.Refund([]Bucket{b}); err != nil {
					t.Fatal(err)
				}
				model.give(now)
			case op == 6: // exactly until one comes back: who waits as long as told is not refused again
				wait := model.look(now).RetryAfter
				now += int64(wait)
				wall = wall.Add(wait)
			default:
				wait := time.Duration(rapid.Int64Range(0, int64(b.Interval()/time.Microsecond)*3).Draw(t,
					"wait in µs")) * time.Microsecond
				now += int64(wait)
				wall = wall.Add(wait)
			}
		}
	})
}

// A limit that was changed in the configuration counts at once, and no counter starts afresh.
func TestChangedLimitKeepsWhatWasUsed(t *testing.T) {
	wall := time.Unix(1_000_000, 0)
	c := NewCounters(0, func() time.Time { return wall })
	take := func(burst int) (LimitState, bool) {
		return c.Take(Bucket{Key: "k", Burst: burst, Window: time.Minute}, wall)
	}
	for range 5 {
		if _, ok := take(5); !ok {
			t.Fatal("refused below the limit")
		}
	}
	if s, ok := take(10); ok || s.Limit != 10 || s.RetryAfter != 6*time.Second {
		t.Errorf("%v %+v", ok, s)
	}
	wall = wall.Add(time.Minute)
	if s, ok := take(2); !ok || s.Remaining != 1 {
		t.Errorf("%v %+v", ok, s)
	}
}
