package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/clustertest"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

var nolog = slog.New(slog.NewTextHandler(io.Discard, nil))

func open(t testing.TB, url, prefix string) *cluster.Redis {
	t.Helper()
	return openWith(t, url, prefix, cluster.CallTimeout)
}

// openPatient is for tests about what calls do: on a busy machine one may take longer than a visitor should wait.
func openPatient(t testing.TB, url, prefix string) *cluster.Redis {
	t.Helper()
	return openWith(t, url, prefix, timebound.Limit(cluster.CallTimeout))
}

func openWith(t testing.TB, url, prefix string, call time.Duration) *cluster.Redis {
	t.Helper()
	o, err := cluster.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	o.Prefix = prefix
	o.SetCallTimeout(call)
	c, err := cluster.Open(*o, nolog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// world assigns each test of the suite a prefix of its own on one server.
func world(url string, prefix string) clustertest.World {
	return clustertest.World{Shared: true, Open: func(t *testing.T) cluster.Cluster {
		return openPatient(t, url, prefix+strings.NewReplacer("/", ".", "#",
			".").Replace(t.Name()[strings.LastIndexByte(t.Name(), '/')+1:])+":")
	}}
}

func TestRedisKeepsThePromises(t *testing.T) {
	t.Parallel()
	clustertest.Run(t, world(redistest.Start(t).URL(), "truxe:"))
}

func TestRedisClusterKeepsThePromises(t *testing.T) {
	t.Parallel()
	s := redistest.StartCluster(t)
	clustertest.Run(t, world("redis+cluster://"+s.Addr(), "truxe:"))
}

func TestRedisSentinelKeepsThePromises(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	sentinel := redistest.StartSentinel(t, master)
	clustertest.Run(t, world("redis+sentinel://"+sentinel.Addr()+"/main", "truxe:"))
}

// ED-25 OP-02 a user limited to the documented commands and to {prefix}* suffices for everything.
func TestDocumentedACLSuffices(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Do("ACL", "SETUSER", "truxe", "on", ">p/w@d", "resetkeys", "~truxe:*", "resetchannels", "-@all",
		"+hello", "+get", "+getdel", "+set", "+del", "+xadd", "+xread", "+xinfo|stream", "+eval", "+evalsha", "+time",
		"+multi", "+exec", "+info")
	s.Do("ACL", "SETUSER", "default", "off")
	url := "redis://truxe:p%2Fw%40d@" + s.Addr()
	clustertest.Run(t, world(url, "truxe:"))
	c := openPatient(t, url, "truxe:")
	if _, err := c.Check(context.Background()); err != nil {
		t.Errorf("check: %v", err)
	}
	if err := openPatient(t, url, "other:").Put(context.Background(), "k", nil, time.Minute); err == nil {
		t.Error("control: the ACL user could write outside its prefix")
	}
	cs := redistest.StartCluster(t)
	cs.Do("ACL", "SETUSER", "truxe", "on", ">pw", "resetkeys", "~truxe:*", "resetchannels", "-@all",
		"+hello", "+get", "+getdel", "+set", "+del", "+xadd", "+xread", "+xinfo|stream", "+eval", "+evalsha", "+time",
		"+multi", "+exec", "+info",
		"+cluster|slots", "+cluster|shards", "+command", "+asking", "+ping")
	t.Run("cluster", func(t *testing.T) {
		clustertest.Run(t, world("redis+cluster://truxe:pw@"+cs.Addr(), "truxe:"))
	})
	err := openPatient(t, "redis://truxe:wrong@"+s.Addr(), "truxe:").Put(context.Background(), "k", nil, time.Minute)
	if err == nil || strings.Contains(err.Error(), "wrong@") {
		t.Errorf("wrong password: %v", err)
	}
}

// CONTRACT 8 the key of a revoked token holds its jti until exp, and one stream carries every revocation.
func TestRevokedTokenIsInRedisForOthersToSee(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := openPatient(t, s.URL(), "truxe:")
	ctx := context.Background()
	for kind, name := range map[string]string{"jti": "token-1", "session": "s-1", "user": "u-1"} {
		e := cluster.Event{Kind: kind, Name: name, At: 5, Expires: time.Now().Add(time.Minute).UnixMilli()}
		if err := c.Publish(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Do("GET", "truxe:revoked:token-1"); got != "token-1" {
		t.Errorf("revoked key holds %v", got)
	}
	if ttl := s.Do("PTTL", "truxe:revoked:token-1").(int64); ttl < 55_000 || ttl > 60_000 {
		t.Errorf("it lives %d ms", ttl)
	}
	if n := s.Do("XLEN", "truxe:revocations"); n != int64(3) {
		t.Errorf("stream has %v entries", n)
	}
	if n := s.Do("EXISTS", "truxe:revoked:s-1", "truxe:revoked:u-1"); n != int64(0) {
		t.Error("only tokens have a revoked key")
	}
	// A token that has ended needs no key, and the event still goes out.
	if err := c.Publish(ctx, cluster.Event{Kind: "jti", Name: "old", Expires: 1}); err != nil {
		t.Fatal(err)
	}
	if n := s.Do("EXISTS", "truxe:revoked:old"); n != int64(0) {
		t.Error("an ended token got a key")
	}
}

// R4 a revocation reaches the other node well within a second; the measured time is logged.
func TestRevocationReachesOtherNodeAtOnce(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	a, b := openPatient(t, s.URL(), "truxe:"), openPatient(t, s.URL(), "truxe:")
	r := &clustertest.Recorder{}
	clustertest.Follow(t, b, r)
	var worst time.Duration
	for i := range 50 {
		began := time.Now()
		if err := a.Publish(context.Background(), revocation(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		clustertest.Eventually(t, "heard", time.Second, func() bool { return len(r.Names()) > i })
		worst = max(worst, time.Since(began))
	}
	t.Logf("slowest of 50: %s", worst)
}

func revocation(name string) cluster.Event {
	return cluster.Event{Kind: cluster.KindJTI, Name: name, At: time.Now().UnixMilli(),
		Expires: time.Now().Add(time.Hour).UnixMilli()}
}

// The same Lua runs on another implementation, with its clock under our control (LK-12: Redis' clock steps).
func TestRedisClockStepsDoNotFreeOrLockForLong(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m.SetTime(now)
	c := openPatient(t, "redis://"+m.Addr(), "truxe:")
	b := []cluster.Bucket{{Key: "person", Burst: 5, Window: 5 * time.Minute}}
	try := func() cluster.Outcome {
		t.Helper()
		out, err := c.Reserve(context.Background(), b)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for i := range 5 {
		if !try().Allowed {
			t.Fatalf("try %d refused", i)
		}
	}
	if out := try(); out.Allowed || out.Limits[0].RetryAfter != time.Minute {
		t.Fatalf("sixth try: %+v", out)
	}
	m.SetTime(now.Add(-24 * time.Hour))
	if out := try(); out.Allowed || out.Limits[0].RetryAfter > 5*time.Minute {
		t.Errorf("after a step back of a day: %+v", out)
	}
	m.SetTime(now.Add(61 * time.Second))
	if !try().Allowed || try().Allowed {
		t.Error("one event comes back in a minute")
	}
}

// R10 a password never appears in what is printed.
func TestOptionsPrintNoSecret(t *testing.T) {
	t.Parallel()
	o, err := cluster.ParseURL("redis+sentinel://me:hunter2@h1,h2:5/main/3?sentinel_password=hunter2")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "o", o)
	for _, s := range []string{fmt.Sprint(o), fmt.Sprintf("%+v %#v %s", *o, *o, o), log.String()} {
		if strings.Contains(s, "hunter2") || !strings.Contains(s, "h1:26379") {
			t.Errorf("printed %q", s)
		}
	}
}

// 50 nodes' worth of calls share 32 connections without failing each other.
func TestBurstOfCallsQueuesForConnections(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := openPatient(t, s.URL(), "truxe:")
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			if err := c.Put(context.Background(), fmt.Sprint(i), []byte("x"), time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// FAULTS 8 start and doctor warn of a policy that evicts.
func TestCheckWarnsOfEviction(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	w, err := openPatient(t, s.URL(), "truxe:").Check(context.Background())
	if err != nil || len(w) != 1 || !strings.Contains(w[0], "allkeys-lru") {
		t.Errorf("%q %v", w, err)
	}
	control := openPatient(t, redistest.Start(t).URL(), "truxe:")
	if w, err := control.Check(context.Background()); err != nil || len(w) != 0 {
		t.Errorf("control: %q %v", w, err)
	}
}
