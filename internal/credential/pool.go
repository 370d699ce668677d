package credential

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Config of a Hasher.
type Config struct {
	Algorithm string     // "bcrypt" (default) or "argon2id"
	Cost      int        // bcrypt, 10 to 15, default 12
	Argon     Parameters // default 19 MiB, t=2, p=1
	Workers   int        // default: all processors but one, at least one
	Queue     int        // default 16 per worker
}

// Hasher hashes and verifies in a bounded pool: a flood of sign-ins slows sign-ins, never proxied requests (R8, PW-15).
// Each worker has a thread of its own that takes short turns (ownThread).
type Hasher struct {
	cfg     Config
	dummy   parsed
	jobs    chan *job
	queued  atomic.Int64
	perJob  atomic.Int64 // ns, smoothed
	workers sync.WaitGroup
	close   sync.Once
	closed  chan struct{}
}

type job struct {
	do   func()
	done chan struct{}
	ctx  context.Context
}

// NewHasher starts the pool.
func NewHasher(c Config) (*Hasher, error) {
	if c.Algorithm == "" {
		c.Algorithm = "bcrypt"
	}
	if c.Cost == 0 {
		c.Cost = 12
	}
	if c.Argon == (Parameters{}) {
		c.Argon = Parameters{MemoryKiB: 19 << 10, Time: 2, Threads: 1}
	}
	if c.Workers <= 0 {
		c.Workers = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if c.Queue <= 0 {
		c.Queue = 16 * c.Workers
	}
	if c.Algorithm != "bcrypt" && c.Algorithm != "argon2id" || c.Cost < minCost || c.Cost > maxCost {
		return nil, fmt.Errorf("password hash: bcrypt with a cost of %d to %d, or argon2id", minCost, maxCost)
	}
	text, err := c.make("the password of no user")
	if err != nil {
		return nil, err
	}
	h := &Hasher{cfg: c, jobs: make(chan *job, c.Queue), closed: make(chan struct{})}
	if h.dummy, err = parseHash(text); err != nil {
		return nil, err
	}
	h.perJob.Store(int64(250 * time.Millisecond))
	for range c.Workers {
		h.workers.Add(1)
		go h.work()
	}
	return h, nil
}

// work hashes until Close.
func (h *Hasher) work() {
	defer h.workers.Done()
	ownThread()
	for {
		select {
		case <-h.closed:
			return
		case j := <-h.jobs:
			h.queued.Add(-1)
			if j.ctx.Err() == nil {
				start := time.Now()
				j.do()
				h.perJob.Store((3*h.perJob.Load() + int64(time.Since(start))) / 4)
			}
			close(j.done)
		}
	}
}

// run waits for a place in the pool. A full queue is `busy`, with the time after which there should be room.
func (h *Hasher) run(ctx context.Context, do func()) error {
	j := &job{do: do, done: make(chan struct{}), ctx: ctx}
	h.queued.Add(1)
	select {
	case h.jobs <- j:
	case <-h.closed:
		h.queued.Add(-1)
		return h.busy()
	default:
		h.queued.Add(-1)
		return h.busy()
	}
	select {
	case <-j.done:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	case <-h.closed:
		return h.busy()
	}
}

func (h *Hasher) busy() error {
	wait := time.Duration(h.perJob.Load()) * time.Duration(h.cfg.Queue/h.cfg.Workers)
	return identity.Refuse(identity.CodeBusy, "Too many users are signing in at the moment. Try again shortly.").
		RetryIn(max(wait, time.Second))
}

// Full returns the error `busy` if a sign-in would be refused now, before anything else is done for it.
func (h *Hasher) Full() error {
	if len(h.jobs) < cap(h.jobs) {
		return nil
	}
	return h.busy()
}

// Hash hashes a normalised password.
func (h *Hasher) Hash(ctx context.Context, password string) (stored string, err error) {
	var out string
	var failed error
	if err := h.run(ctx, func() { out, failed = h.cfg.make(password) }); err != nil {
		return "", err
	}
	return out, failed
}

// Verify compares a normalised password with a stored hash. A hash that cannot be read costs as much as one that can,
// and matches nothing. The empty password matches nothing either: a hash of it, brought along from elsewhere, is
// ErrEmpty, after the time that any comparison takes.
func (h *Hasher) Verify(ctx context.Context, stored, password string) (ok, outdated bool, err error) {
	p, parseErr := parseHash(stored)
	if parseErr != nil {
		return false, false, h.VerifyDummy(ctx, password)
	}
	var match bool
	if err := h.run(ctx, func() { match = p.verify(password) }); err != nil {
		return false, false, err
	}
	if match && password == "" {
		return false, false, ErrEmpty
	}
	return match, match && h.cfg.outdated(p), nil
}

// ErrEmpty says that a stored hash is that of the empty password.
var ErrEmpty = errors.New("the stored hash is that of the empty password")

// VerifyDummy takes as long as Verify does, for users that do not exist (PW-16).
func (h *Hasher) VerifyDummy(ctx context.Context, password string) error {
	return h.run(ctx, func() { h.dummy.verify(password) })
}

// QueueLength is how many hashes wait.
func (h *Hasher) QueueLength() int { return int(max(0, h.queued.Load())) }

// Close ends the workers after their present job.
func (h *Hasher) Close() {
	h.close.Do(func() { close(h.closed) })
	h.workers.Wait()
}
