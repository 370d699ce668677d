package revocation

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// open joins a stream of its own.
func (r *Streams) open(ctx context.Context, p *identity.Principal) *Stream {
	s := &Stream{Context: ctx}
	r.join(s, p)
	return s
}

// SE-17: a stream ends with its credential.
func TestStreamEndsWhenItsCredentialExpires(t *testing.T) {
	r := newStreams(NewCopy())
	now := time.Now()
	short, long := bearer("a", "", "u", 0), bearer("b", "", "u", 0)
	short.Expires, long.Expires = now.Add(time.Minute), now.Add(time.Hour)
	s, other := r.open(context.Background(), short), r.open(context.Background(), long)
	r.walk(now.Add(59 * time.Second))
	if s.Err() != nil {
		t.Fatal("ended early")
	}
	r.walk(now.Add(time.Minute))
	if !errors.Is(context.Cause(s), ErrExpired) || other.Err() != nil {
		t.Errorf("%v, %v", context.Cause(s), other.Err())
	}
	if checkExpiry >= time.Minute {
		t.Error("SE-17 wants the walk at least once a minute")
	}
	s.End()
	other.End()
	if r.Len() != 0 {
		t.Error("left in the registry")
	}
}

// R4: a revocation that falls between the gate's question and the registration cuts the stream all the same.
func TestRevocationWhileTheStreamOpensIsNotMissed(t *testing.T) {
	c := NewCopy()
	r := newStreams(c)
	c.Put(identity.RevokeJTI, "x", 1, 1e15)
	s := r.open(context.Background(), bearer("x", "", "u", 0))
	defer s.End()
	select {
	case <-s.Done():
	default:
		t.Error("open")
	}
}

// A stream is a full context: derived contexts, values, causes and the request's own end.
func TestStreamBehavesAsAContext(t *testing.T) {
	type key struct{}
	c := NewCopy()
	r := newStreams(c)
	parent, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "v"))
	s := r.open(parent, bearer("x", "", "u", 0))
	if s.Err() != nil || s.Value(key{}) != "v" {
		t.Error("before the context is built")
	}
	child, stop := context.WithTimeout(s, time.Hour)
	defer stop()
	if s.Value(key{}) != "v" || child.Value(key{}) != "v" {
		t.Error("values are lost")
	}
	cancel()
	<-child.Done()
	if !errors.Is(s.Err(), context.Canceled) {
		t.Error("does not end with the request")
	}
	s.End()
	s.End() // harmless

	s = r.open(context.Background(), bearer("y", "", "u", 0))
	child, stop = context.WithCancel(s)
	defer stop()
	c.Put(identity.RevokeJTI, "y", 1, 1e15)
	r.walk(time.Now())
	<-child.Done()
	if !errors.Is(context.Cause(child), ErrRevoked) {
		t.Errorf("cause %v", context.Cause(child))
	}
	s.End()

	anonymous := r.open(context.Background(), nil)
	if anonymous.Err() != nil || r.Len() != 0 {
		t.Error("an anonymous visitor has nothing to revoke")
	}
	anonymous.End()

	s = r.open(context.Background(), bearer("z", "", "u", 0))
	waiting := s.Done()
	s.End()
	<-waiting // or whoever waits would be left behind
}

// Streams open, end and are cut at the same time.
func TestStreamsOpenEndAndAreCutAtOnce(t *testing.T) {
	c := NewCopy()
	r := newStreams(c)
	var work sync.WaitGroup
	for g := range 4 {
		work.Go(func() {
			for i := range 2000 {
				s := r.open(context.Background(), bearer(strconv.Itoa(i), "", "u", 0))
				if g == 0 {
					c.Put(identity.RevokeJTI, strconv.Itoa(i), 1, 1e15)
					r.walk(time.Now())
					<-s.Done()
				}
				s.End()
			}
		})
	}
	work.Wait()
	if n := r.Len(); n != 0 {
		t.Errorf("%d left", n)
	}
}

// DESIGN 3: registering a normal request costs one allocation with its stream.
func TestWatchingARequestAllocatesOnce(t *testing.T) {
	r := newStreams(NewCopy())
	p := bearer("x", "s", "u", 0)
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() { r.open(ctx, p).End() }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWatch(b *testing.B) {
	n := New(Config{})
	p := bearer("x", "s", "u", 0)
	ctx := context.Background()
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n.streams.open(ctx, p).End()
		}
	})
	b.Run("ready", func(b *testing.B) {
		b.ReportAllocs()
		n.MarkRead()
		n.MarkAlive()
		for b.Loop() {
			n.Ready()
		}
	})
}
