package cluster

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff waits 50 ms, doubling to 500 ms, each with up to half of it as jitter: nodes do not come back in step, and
// service is normal within two seconds of the store's return.
type backoff struct{ next time.Duration }

func newBackoff() *backoff { return &backoff{next: 50 * time.Millisecond} }

func (b *backoff) reset() { b.next = 50 * time.Millisecond }

// sleep is false when ctx or closed ended first.
func (b *backoff) sleep(ctx context.Context, closed <-chan struct{}) bool {
	d := b.next/2 + rand.N(b.next/2)
	b.next = min(2*b.next, 500*time.Millisecond)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-closed:
		return false
	case <-t.C:
		return true
	}
}
