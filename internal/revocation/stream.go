package revocation

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Why a stream's context ended (context.Cause).
var (
	ErrRevoked = errors.New("the credential was revoked")
	ErrExpired = errors.New("the credential expired")
	ErrChanged = errors.New("the user has lost a role")
	ErrCutOff  = errors.New("the revocation state is unknown")
)

// Stream is the context of one request under way. It is a part of what its request allocates anyway. The machinery of a
// cancellable context is built when a handler waits for it, as reverse_proxy does and an answer from memory does not.
type Stream struct {
	context.Context // of the request
	principal       *identity.Principal

	shard      *streamShard
	prev, next *Stream // guarded by the shard

	inner atomic.Pointer[innerContext]
}

type innerContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

// build creates the standard library's context underneath. Contexts derived from the stream then find it and need no
// goroutine of their own.
func (s *Stream) build() *innerContext {
	if in := s.inner.Load(); in != nil {
		return in
	}
	ctx, cancel := context.WithCancelCause(s.Context)
	built := &innerContext{ctx, cancel}
	if !s.inner.CompareAndSwap(nil, built) { // another goroutine was faster
		cancel(nil)
	}
	return s.inner.Load()
}

// Done is closed when the request ends, the principal is revoked, its credential has expired or the node is cut off.
func (s *Stream) Done() <-chan struct{} { return s.build().Done() }

// Err is nil until Done is closed.
func (s *Stream) Err() error {
	if in := s.inner.Load(); in != nil {
		return in.Err()
	}
	return s.Context.Err()
}

// Value asks the request's context.
func (s *Stream) Value(key any) any {
	if in := s.inner.Load(); in != nil {
		return in.Value(key)
	}
	return s.Context.Value(key)
}

// End takes the stream out of the registry. Its context ends too if it was built.
func (s *Stream) End() {
	if s.shard != nil {
		s.shard.remove(s)
	}
	if s.inner.Load() != nil {
		s.cut(context.Canceled)
	}
}

func (s *Stream) cut(why error) {
	s.build().cancel(why)
}

// endReason returns why the stream must end; nil while it may go on.
func (s *Stream) endReason(c *Copy, now time.Time) error {
	switch {
	case c.Refused(s.principal) != "":
		return ErrRevoked
	case !s.principal.Expires.IsZero() && !now.Before(s.principal.Expires):
		return ErrExpired
	}
	return nil
}
