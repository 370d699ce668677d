package revocation

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const (
	streamShards = 64
	// checkExpiry is how often streams are asked whether they have expired (SE-17: within 60 s).
	checkExpiry = 10 * time.Second
	// checkGap is the least time between two walks: a burst of revocations is one walk.
	checkGap = 10 * time.Millisecond
)

// Streams are the requests under way: WebSockets, event streams, long transfers and, for a moment, all others.
// There is no index: after a revocation every stream is asked again, which takes 1 ms for 10,000 of them and keeps
// the price for a normal request at two short locks.
type Streams struct {
	copy   *Copy
	check  chan struct{}
	shards [streamShards]streamShard
}

type streamShard struct {
	mu    sync.Mutex
	first *Stream
	count int
	_     [40]byte // one shard a cache line
}

func newStreams(c *Copy) *Streams {
	return &Streams{copy: c, check: make(chan struct{}, 1)}
}

// join registers a request by its stream, whose Context is set. Call the stream's End when the request is done.
func (r *Streams) join(s *Stream, p *identity.Principal) {
	if s.principal = p; p == nil {
		return
	}
	s.shard = &r.shards[rand.Uint32()%streamShards]
	s.shard.add(s)
	// A revocation between the caller's own question and add is found by neither: ask once more.
	if r.copy.Refused(p) != "" {
		s.cut(ErrRevoked)
	}
}

// wakeUp asks for a walk soon. It does not wait.
func (r *Streams) wakeUp() {
	select {
	case r.check <- struct{}{}:
	default:
	}
}

// Len is how many requests are under way.
func (r *Streams) Len() int {
	n := 0
	for i := range r.shards {
		r.shards[i].mu.Lock()
		n += r.shards[i].count
		r.shards[i].mu.Unlock()
	}
	return n
}

func (r *Streams) run(ctx context.Context, now func() time.Time) {
	t := time.NewTicker(checkExpiry)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-r.check:
		}
		r.walk(now())
		select {
		case <-ctx.Done():
			return
		case <-time.After(checkGap):
		}
	}
}

// walk cuts what is revoked or expired.
func (r *Streams) walk(now time.Time) {
	r.cutWhere(func(s *Stream) error { return s.endReason(r.copy, now) })
}

// CutAll ends every stream.
func (r *Streams) CutAll(why error) { r.cutWhere(func(*Stream) error { return why }) }

// cutPrincipals ends the streams of principals against whom there is a reason.
func (r *Streams) cutPrincipals(reason func(p *identity.Principal) error) {
	r.cutWhere(func(s *Stream) error { return reason(s.principal) })
}

// cutWhere asks each stream why it must end; nil lets it go on.
func (r *Streams) cutWhere(reason func(*Stream) error) {
	type end struct {
		stream *Stream
		why    error
	}
	var ends []end
	for i := range r.shards {
		shard := &r.shards[i]
		ends = ends[:0]
		shard.mu.Lock()
		for s := shard.first; s != nil; {
			next := s.next
			if why := reason(s); why != nil {
				ends = append(ends, end{s, why})
				shard.unlink(s) // once is enough
			}
			s = next
		}
		shard.mu.Unlock()
		for _, e := range ends { // outside the lock: cancelling runs code of handlers
			e.stream.cut(e.why)
		}
	}
}

func (h *streamShard) add(s *Stream) {
	h.mu.Lock()
	s.next = h.first
	if h.first != nil {
		h.first.prev = s
	}
	h.first = s
	h.count++
	h.mu.Unlock()
}

func (h *streamShard) remove(s *Stream) {
	h.mu.Lock()
	if s.prev != nil || s.next != nil || h.first == s {
		h.unlink(s)
	}
	h.mu.Unlock()
}

func (h *streamShard) unlink(s *Stream) {
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		h.first = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
	h.count--
}
