package revocation

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// SE-17, R4, FAULTS 33: 10,000 open streams are cut within a second of revoking their sessions; others go on.
func TestTenThousandRevokedStreamsAreCutWithinASecond(t *testing.T) {
	const many = 10_000
	l := &ledger{}
	n := start(t, l, cluster.NewLocal(cluster.LocalOptions{}), nil)
	within(t, time.Second, "ready", n.Ready)
	var cut atomic.Int64
	var open sync.WaitGroup
	revs := make([]store.Revocation, many)
	for i := range many {
		name := "s" + strconv.Itoa(i)
		revs[i] = revoke(identity.RevokeSession, name)
		ctx, done := n.watch(context.Background(), bearer("", name, "u", 0))
		open.Go(func() {
			defer done()
			<-ctx.Done()
			if errors.Is(context.Cause(ctx), ErrRevoked) && ctx.Err() == context.Canceled {
				cut.Add(1)
			}
		})
	}
	other, done := n.watch(context.Background(), bearer("", "other", "u", 0))
	defer done()
	if err := n.Announce(context.Background(), revs...); err != nil {
		t.Fatal(err)
	}
	began := time.Now() // acknowledged: from here on the second counts (R4)
	open.Wait()
	took := time.Since(began)
	t.Logf("%d streams cut in %v with %d walks", cut.Load(), took, n.streams.walked.Load())
	timebound.Check(t, "cutting all streams", took, time.Second)
	if cut.Load() != many {
		t.Errorf("%d of %d cut after %v", cut.Load(), many, took)
	}
	if other.Err() != nil || n.Streams().Len() != 1 {
		t.Errorf("an untouched stream: %v, %d registered", other.Err(), n.Streams().Len())
	}
}

// SE-17: token, session and user revocations each cut a stream on another node, over real Redis and real HTTP.
func TestEventStreamIsCutWhenTheCredentialIsRevokedElsewhere(t *testing.T) {
	l := &ledger{}
	server := redistest.Start(t).Addr()
	a, b := start(t, l, onRedis(t, server), nil), start(t, l, onRedis(t, server), nil)
	within(t, 3*time.Second, "both ready", func() bool { return a.Ready() && b.Ready() })
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, done := b.watch(r.Context(), bearer("jti-"+r.URL.Query().Get("who"), "sid-"+r.URL.Query().Get("who"), r.URL.Query().Get("who"), 1))
		defer done()
		fmt.Fprintln(w, "hello")
		w.(http.Flusher).Flush()
		<-ctx.Done()
	}))
	defer web.Close()
	for who, rev := range map[string]store.Revocation{
		"ann": revoke(identity.RevokeJTI, "jti-ann"), "bob": revoke(identity.RevokeSession, "sid-bob"), "cat": revoke(identity.RevokeUser, "cat"),
	} {
		reply, err := web.Client().Get(web.URL + "?who=" + who)
		if err != nil {
			t.Fatal(err)
		}
		body := bufio.NewReader(reply.Body)
		if line, _ := body.ReadString('\n'); line != "hello\n" {
			t.Fatalf("stream does not run: %q", line)
		}
		began := time.Now()
		if err := a.revoked(t, l, rev); err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(body)
		reply.Body.Close()
		timebound.Check(t, "cutting a stream: "+who, time.Since(began), time.Second)
	}
}

// SE-17: a stream ends with its credential.
func TestStreamEndsWhenItsCredentialExpires(t *testing.T) {
	r := newStreams(NewCopy())
	now := time.Now()
	short, long := bearer("a", "", "u", 0), bearer("b", "", "u", 0)
	short.Expires, long.Expires = now.Add(time.Minute), now.Add(time.Hour)
	s, other := r.Open(context.Background(), short), r.Open(context.Background(), long)
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
	s := r.Open(context.Background(), bearer("x", "", "u", 0))
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
	s := r.Open(parent, bearer("x", "", "u", 0))
	if s.Err() != nil || s.Value(key{}) != "v" {
		t.Error("before anybody waits")
	}
	child, stop := context.WithTimeout(s, time.Hour)
	defer stop()
	if s.Value(key{}) != "v" || child.Value(key{}) != "v" {
		t.Error("values are lost")
	}
	cancel()
	<-child.Done()
	if s.Err() != context.Canceled {
		t.Error("does not end with the request")
	}
	s.End()
	s.End() // harmless

	s = r.Open(context.Background(), bearer("y", "", "u", 0))
	child, stop = context.WithCancel(s)
	defer stop()
	c.Put(identity.RevokeJTI, "y", 1, 1e15)
	r.walk(time.Now())
	<-child.Done()
	if !errors.Is(context.Cause(child), ErrRevoked) {
		t.Errorf("cause %v", context.Cause(child))
	}
	s.End()

	anonymous := r.Open(context.Background(), nil)
	if anonymous.Err() != nil || r.Len() != 0 {
		t.Error("an anonymous visitor has nothing to revoke")
	}
	anonymous.End()

	s = r.Open(context.Background(), bearer("z", "", "u", 0))
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
				s := r.Open(context.Background(), bearer(strconv.Itoa(i), "", "u", 0))
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

// DESIGN 3: registering a normal request costs one allocation with Open.
func TestWatchingARequestAllocatesOnce(t *testing.T) {
	r := newStreams(NewCopy())
	p := bearer("x", "s", "u", 0)
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() { r.Open(ctx, p).End() }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWatch(b *testing.B) {
	n := New(Config{Source: &ledger{}, Feed: cluster.NewLocal(cluster.LocalOptions{}), Logger: quiet()})
	p := bearer("x", "s", "u", 0)
	ctx := context.Background()
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n.streams.Open(ctx, p).End()
		}
	})
	b.Run("watch", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, done := n.watch(ctx, p)
			done()
		}
	})
	b.Run("ready", func(b *testing.B) {
		b.ReportAllocs()
		n.synced.Store(true)
		n.Alive()
		for b.Loop() {
			n.Ready()
		}
	})
}
