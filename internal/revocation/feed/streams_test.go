package feed

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
	"github.com/truxeio/caddy-truxe/internal/revocation"
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
			if errors.Is(context.Cause(ctx), revocation.ErrRevoked) && errors.Is(ctx.Err(), context.Canceled) {
				cut.Add(1)
			}
		})
	}
	other, done := n.watch(context.Background(), bearer("", "other", "u", 0))
	defer done()
	if err := n.Publish(context.Background(), News{Revoked: revs}); err != nil {
		t.Fatal(err)
	}
	began := time.Now() // acknowledged: from here on the second counts (R4)
	open.Wait()
	took := time.Since(began)
	t.Logf("%d streams cut in %v", cut.Load(), took)
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
		ctx, done := b.watch(r.Context(), bearer("jti-"+r.URL.Query().Get("who"), "sid-"+r.URL.Query().Get("who"),
			r.URL.Query().Get("who"), 1))
		defer done()
		fmt.Fprintln(w, "hello")
		w.(http.Flusher).Flush()
		<-ctx.Done()
	}))
	defer web.Close()
	for who, rev := range map[string]store.Revocation{
		"ann": revoke(identity.RevokeJTI, "jti-ann"), "bob": revoke(identity.RevokeSession, "sid-bob"),
		"cat": revoke(identity.RevokeUser, "cat"),
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
