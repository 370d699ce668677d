package cluster

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/time/rate"
)

// A bucket refills evenly over its window. There is no window edge, so no double burst at one (F29). In the process it
// is a rate.Limiter on nanoseconds of a monotonic clock; the Lua scripts of the Redis twin compute the same as GCRA
// (ITU-T I.371) in microseconds of Redis' clock.

// maxBuckets bounds one Reserve; maxKey bounds keys of buckets and values, in bytes.
const (
	maxBuckets = 8
	maxKey     = 512
)

// Check refuses buckets without a rate: at least one event, a window of at most 366 days, at most 100,000 events a
// second (which keeps the arithmetic in whole microseconds honest).
func (b Bucket) Check() error {
	if b.Burst < 1 || b.Window <= 0 || b.Interval() < 10*time.Microsecond || b.Window > 366*24*time.Hour {
		return fmt.Errorf("%w: %d events in %s", ErrInvalid, b.Burst, b.Window)
	}
	return nil
}

func checkBuckets(buckets []Bucket) error {
	if len(buckets) == 0 || len(buckets) > maxBuckets {
		return fmt.Errorf("%w: %d buckets", ErrInvalid, len(buckets))
	}
	for i, b := range buckets {
		if err := b.Check(); err != nil {
			return err
		}
		if err := checkKey(b.Key); err != nil {
			return err
		}
		for _, other := range buckets[:i] {
			if other.Key == b.Key {
				return fmt.Errorf("%w: one bucket twice", ErrInvalid)
			}
		}
	}
	return nil
}

func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("%w: key of %d bytes", ErrInvalid, len(key))
	}
	return nil
}

// limiter is a full bucket.
func (b Bucket) limiter() *rate.Limiter { return rate.NewLimiter(rate.Every(b.Interval()), b.Burst) }

// resize follows a configuration that was changed while the counters lived on: what is left stays, as far as it fits.
func (b Bucket) resize(l *rate.Limiter, at time.Time) {
	if every := rate.Every(b.Interval()); l.Limit() != every {
		l.SetLimitAt(at, every)
	}
	if l.Burst() != b.Burst {
		l.SetBurstAt(at, b.Burst)
	}
}

// give puts one event back. Reservation.CancelAt cannot: for an event that was free to happen at once it does nothing
// as soon as any time has passed, and a try is given back only after its password has been hashed
// (TestCancelGivesNothingBackLater). Taking minus one event adds one, and the limiter caps what it holds at its burst.
func give(l *rate.Limiter, at time.Time) { l.AllowN(at, -1) }

// missing is how long it takes until tokens have become want. The limiter counts in floating point; what is less than a
// microsecond is its rounding.
func (b Bucket) missing(tokens, want float64) time.Duration {
	micros := (want - tokens) * float64(b.Interval()) / float64(time.Microsecond)
	return time.Duration(math.Ceil(max(0, micros-1e-2))) * time.Microsecond
}

// look is what a limiter says at a time.
func (b Bucket) look(l *rate.Limiter, at time.Time) LimitState {
	tokens := l.TokensAt(at)
	s := LimitState{Key: b.Key, Limit: b.Burst,
		ResetAfter: b.missing(tokens, float64(b.Burst)), RetryAfter: b.missing(tokens, 1)}
	if s.RetryAfter == 0 {
		s.Remaining = max(1, int(tokens+1e-9))
	}
	return s
}
