package cluster

import (
	"fmt"
	"time"
)

// GCRA (ITU-T I.371): a bucket's whole state is one number, the theoretical arrival time (tat), at which it is full
// again. There is no window edge, so no double burst at one (F29). Times are nanoseconds of a monotonic clock.
// The Lua scripts of the Redis twin compute the same in microseconds of Redis' clock.

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

func (b Bucket) capacity() int64 { return int64(b.Interval()) * int64(b.Burst) }

// settle brings a stored tat into what is possible: never before now (a bucket is at most full), never beyond one
// capacity (so a clock that stepped back locks nobody longer than a window, LK-12).
func (b Bucket) settle(tat, now int64) int64 { return min(max(tat, now), now+b.capacity()) }

// take returns the tat after one event, or false when the bucket is empty.
func (b Bucket) take(tat, now int64) (int64, bool) {
	next := b.settle(tat, now) + int64(b.Interval())
	return next, next <= now+b.capacity()
}

// give returns the tat after one event came back.
func (b Bucket) give(tat, now int64) int64 {
	return max(b.settle(tat, now)-int64(b.Interval()), now)
}

func (b Bucket) look(tat, now int64) LimitState {
	tat = b.settle(tat, now)
	room := now + b.capacity() - tat
	s := LimitState{Key: b.Key, Limit: b.Burst, ResetAfter: time.Duration(tat - now)}
	s.Remaining = int(room / int64(b.Interval()))
	if s.Remaining == 0 {
		s.RetryAfter = b.Interval() - time.Duration(room)
	}
	return s
}
