package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// sealLen bytes of the key's SHA-256 precede each value: an answer that belongs to another question (a proxy or
// server that swaps replies, FAULTS 9) is loss, not another user's ticket.
const sealLen = 8

var errSwapped = errors.New("redis answered another question")

func seal(key string, value []byte) []byte {
	sum := sha256.Sum256([]byte(key))
	return append(sum[:sealLen:sealLen], value...)
}

func unseal(key string, stored []byte) ([]byte, error) {
	sum := sha256.Sum256([]byte(key))
	if !bytes.HasPrefix(stored, sum[:sealLen]) {
		return nil, errSwapped
	}
	return stored[sealLen:], nil
}

// Put stores a value with SET PX.
func (r *Redis) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := checkValue(key, value, ttl); err != nil {
		return err
	}
	return r.call(ctx, "store value", func(ctx context.Context) error {
		return r.calls.Set(ctx, r.key("value:", key), seal(key, value), ttl).Err()
	})
}

// PutNew stores with SET PX NX.
func (r *Redis) PutNew(ctx context.Context, key string, value []byte, ttl time.Duration) (stored bool, err error) {
	if err := checkValue(key, value, ttl); err != nil {
		return false, err
	}
	err = r.call(ctx, "store new value", func(ctx context.Context) error {
		err := r.calls.SetArgs(ctx, r.key("value:", key), seal(key, value), redis.SetArgs{Mode: "NX", TTL: ttl}).Err()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		stored = err == nil
		return err
	})
	return stored, err
}

// Get reads with GET.
func (r *Redis) Get(ctx context.Context, key string) ([]byte, bool, error) {
	return r.read(ctx, "read value", key, redis.UniversalClient.Get)
}

// Pop reads and deletes with GETDEL.
func (r *Redis) Pop(ctx context.Context, key string) ([]byte, bool, error) {
	return r.read(ctx, "take value", key, redis.UniversalClient.GetDel)
}

func (r *Redis) read(ctx context.Context, what, key string,
	command func(redis.UniversalClient, context.Context, string) *redis.StringCmd) (value []byte, found bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, false, err
	}
	err = r.call(ctx, what, func(ctx context.Context) error {
		stored, err := command(r.calls, ctx, r.key("value:", key)).Bytes()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		if err != nil {
			return err
		}
		value, err = unseal(key, stored)
		found = err == nil
		return err
	})
	return value, found, err
}
