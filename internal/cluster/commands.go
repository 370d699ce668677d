package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// tryCommands runs each kind of call on keys of this node's own. docs/how-to/two-nodes.md has the list of commands.
func (r *Redis) tryCommands(ctx context.Context) error {
	key := "probe:" + r.opts.Node
	bucket := []Bucket{{Key: key, Burst: 10, Window: time.Second}}
	_, errNew := r.PutNew(ctx, key, []byte("1"), time.Second)
	_, _, errGet := r.Get(ctx, key)
	_, _, errPop := r.Pop(ctx, key)
	_, errReserve := r.Reserve(ctx, bucket)
	return errors.Join(errNew, errGet, errPop, errReserve, r.Refund(ctx, bucket), r.Clear(ctx, key), r.tryPublish(ctx))
}

// tryPublish appends to a stream that is not there, which does nothing, as a publication would.
func (r *Redis) tryPublish(ctx context.Context) error {
	add := &redis.XAddArgs{Stream: r.key("node:stream:", r.opts.Node), NoMkStream: true,
		MaxLen: streamLength, Approx: true, Values: []string{"kind", "probe"}}
	return r.call(ctx, "publish", func(ctx context.Context) error {
		var err error
		if r.opts.Mode == ModeCluster {
			err = r.calls.XAdd(ctx, add).Err()
		} else {
			err = r.transaction(ctx, func(p redis.Pipeliner) { _ = p.XAdd(ctx, add) })
		}
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
}
