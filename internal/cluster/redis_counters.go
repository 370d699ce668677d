package cluster

import (
	"context"
	_ "embed"
	"errors"
	"math"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

//go:embed reserve.lua
var reserveLua string

//go:embed refund.lua
var refundLua string

var (
	reserveScript = redis.NewScript(reserveLua)
	refundScript  = redis.NewScript(refundLua)
)

// limitKey puts all counters under one hash tag, so that one script may touch several of them in Redis Cluster.
func (r *Redis) limitKey(key string) string { return r.key("limit:{g}:", key) }

func (r *Redis) limitArgs(buckets []Bucket) (keys []string, args []any) {
	for _, b := range buckets {
		keys = append(keys, r.limitKey(b.Key))
		args = append(args, b.Interval().Microseconds(), b.Burst)
	}
	return keys, args
}

// Reserve runs reserve.lua: one atomic step over all buckets on Redis' own clock, so node clocks do not matter.
//
// After Redis lost its data, buckets that are not there count as half spent, filling up again over half a window: a
// flush does not hand an attacker a whole new burst (FAULTS 7), and does not refuse all clients either (F30). Only a
// node that saw the flush knows of it; the first start on an empty Redis allows whole bursts.
func (r *Redis) Reserve(ctx context.Context, buckets []Bucket) (out Outcome, err error) {
	if err := checkBuckets(buckets); err != nil {
		return Outcome{}, err
	}
	sinceFlush := int64(-1)
	if at := r.flushedAt.Load(); at != 0 {
		sinceFlush = (r.clock.read() - at) / int64(time.Microsecond)
	}
	tag := identity.NewID().String()
	keys, args := r.limitArgs(buckets)
	args = append([]any{tag, sinceFlush}, args...)
	err = r.call(ctx, "reserve", func(ctx context.Context) error {
		reply, err := reserveScript.Run(ctx, r.calls, keys, args...).Slice()
		if err != nil {
			return err
		}
		out, err = readOutcome(reply, tag, buckets)
		return err
	})
	return out, err
}

// readOutcome checks that the reply belongs to this call and has the promised shape.
func readOutcome(reply []any, tag string, buckets []Bucket) (Outcome, error) {
	if len(reply) != 2+3*len(buckets) || reply[0] != tag {
		return Outcome{}, errSwapped
	}
	number := make([]int64, len(reply)-1)
	for i, v := range reply[1:] {
		n, ok := v.(int64)
		if !ok || n < 0 || n > int64(math.MaxInt64/time.Microsecond) { // beyond it a time would be negative
			return Outcome{}, errors.New("redis answered something else than numbers")
		}
		number[i] = n
	}
	out := Outcome{Allowed: number[0] == 1}
	for i, b := range buckets {
		n := number[1+3*i:]
		out.Limits = append(out.Limits, LimitState{
			Key: b.Key, Limit: b.Burst, Remaining: int(n[0]),
			RetryAfter: time.Duration(n[1]) * time.Microsecond, ResetAfter: time.Duration(n[2]) * time.Microsecond,
		})
	}
	return out, nil
}

// Refund runs refund.lua.
func (r *Redis) Refund(ctx context.Context, buckets []Bucket) error {
	if err := checkBuckets(buckets); err != nil {
		return err
	}
	keys, args := r.limitArgs(buckets)
	return r.call(ctx, "refund", func(ctx context.Context) error {
		return refundScript.Run(ctx, r.calls, keys, args...).Err()
	})
}

// Clear deletes counters with DEL.
func (r *Redis) Clear(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	full := make([]string, len(keys))
	for i, k := range keys {
		if err := checkKey(k); err != nil {
			return err
		}
		full[i] = r.limitKey(k)
	}
	return r.call(ctx, "clear counters", func(ctx context.Context) error {
		return r.calls.Del(ctx, full...).Err()
	})
}
