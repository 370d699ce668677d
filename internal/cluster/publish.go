package cluster

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

func (r *Redis) streamKey() string { return r.key("revocations", "") }
func (r *Redis) epochKey() string  { return r.key("epoch", "") }

// Publish appends to the stream and, for a jti, writes {prefix}revoked:{jti}, in one MULTI. In Redis Cluster the two
// keys live in different slots: the key is written first, so a nil error still means that both are there.
func (r *Redis) Publish(ctx context.Context, e Event) error {
	if err := e.check(); err != nil {
		return err
	}
	e.Node = cmp.Or(e.Node, r.opts.Node)
	return r.call(ctx, "publish "+e.Kind, func(ctx context.Context) error {
		if r.opts.Mode == ModeCluster {
			if err := r.mark(ctx, r.calls, e); err != nil {
				return err
			}
			return r.append(ctx, r.calls, e)
		}
		return r.transaction(ctx, func(p redis.Pipeliner) {
			_ = r.mark(ctx, p, e)
			_ = r.append(ctx, p, e)
		})
	})
}

// transaction sends commands between MULTI and EXEC. When Redis refuses one of them, EXEC only answers EXECABORT: the
// error is that of the command.
func (r *Redis) transaction(ctx context.Context, commands func(redis.Pipeliner)) error {
	sent, err := r.calls.TxPipelined(ctx, func(p redis.Pipeliner) error {
		commands(p)
		return nil
	})
	if err == nil {
		return nil
	}
	for _, c := range sent {
		if cause := c.Err(); cause != nil && !redis.IsExecAbortError(cause) {
			return cause
		}
	}
	return err
}

// mark writes {prefix}revoked:{jti} for the rest of the token's life. The value is the jti itself, so that a reader
// can check the reply against what it asked for (CONTRACT section 8).
func (r *Redis) mark(ctx context.Context, c redis.Cmdable, e Event) error {
	left := time.Until(time.UnixMilli(e.Expires))
	if e.Kind != KindJTI || left < time.Millisecond {
		return nil
	}
	return c.Set(ctx, r.key("revoked:", e.Name), e.Name, left).Err()
}

func (r *Redis) append(ctx context.Context, c redis.Cmdable, e Event) error {
	return c.XAdd(ctx, &redis.XAddArgs{
		Stream: r.streamKey(), MaxLen: streamLength, Approx: true, Values: e.fields(),
	}).Err()
}

// Sizes of a refill: pipelines of refillBatch, and no more stream entries than the stream can hold beside new ones.
// Nodes that see the new epoch read SQL anyway; the stream only needs what comes after.
const (
	refillBatch  = 500
	refillStream = streamLength / 2
)

// republish fills an emptied Redis again.
func (r *Redis) republish(ctx context.Context, events []Event) error {
	for done := 0; done < len(events); done += refillBatch {
		batch := events[done:min(done+refillBatch, len(events))]
		for _, e := range batch {
			if err := e.check(); err != nil {
				return fmt.Errorf("refill: %w", err)
			}
		}
		short, cancel := context.WithTimeout(ctx, feedTimeout)
		_, err := r.feed.Pipelined(short, func(p redis.Pipeliner) error {
			for i, e := range batch {
				e.Node = cmp.Or(e.Node, r.opts.Node)
				_ = r.mark(short, p, e)
				if done+i < refillStream {
					_ = r.append(short, p, e)
				}
			}
			return nil
		})
		cancel()
		if err != nil {
			return explained("refill", err)
		}
	}
	return nil
}
