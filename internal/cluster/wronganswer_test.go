package cluster_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/clustertest"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
)

// FAULTS 9 another type under the stream's or a counter's key is loss, not "nothing revoked" or "allowed".
func TestWrongTypesCountAsLoss(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := open(t, s.URL(), "truxe:")
	r := &clustertest.Recorder{}
	clustertest.Follow(t, c, r)
	s.Do("SET", "truxe:revocations", "text")
	clustertest.Eventually(t, "lost", 2*time.Second, func() bool { return !c.Health().Connected })
	if err := c.Publish(context.Background(), revocation("x")); !errors.Is(err, cluster.ErrUnavailable) {
		t.Errorf("acknowledged: %v", err)
	}
	s.Do("DEL", "truxe:revocations")
	clustertest.Eventually(t, "healed", 2*time.Second, func() bool { return c.Health().Connected })

	s.Do("SET", "truxe:epoch", "another program's")
	clustertest.Eventually(t, "lost", 2*time.Second, func() bool { return !c.Health().Connected })
	s.Do("DEL", "truxe:epoch")
	clustertest.Eventually(t, "healed", 2*time.Second, func() bool { return c.Health().Connected })

	ctx := context.Background()
	s.Do("RPUSH", "truxe:limit:{g}:k", "x")
	b := []cluster.Bucket{{Key: "k", Burst: 5, Window: time.Minute}}
	if out, err := c.Reserve(ctx, b); out.Allowed || !errors.Is(err, cluster.ErrUnavailable) {
		t.Errorf("list as counter: %v %v", out, err)
	}
	s.Do("SET", "truxe:limit:{g}:k", "nonsense")
	if out, err := c.Reserve(ctx, b); out.Allowed || err != nil {
		t.Errorf("text as counter must refuse: %v %v", out, err)
	}
	// A value that belongs to another key, as a server that swaps replies would answer.
	if err := c.Put(ctx, "mine", []byte("ticket"), time.Minute); err != nil {
		t.Fatal(err)
	}
	s.Do("COPY", "truxe:value:mine", "truxe:value:yours")
	if v, ok, err := c.Get(ctx, "yours"); ok || !errors.Is(err, cluster.ErrUnavailable) {
		t.Errorf("swapped value: %q %v %v", v, ok, err)
	}
	if v, ok, err := c.Get(ctx, "mine"); !ok || err != nil || string(v) != "ticket" {
		t.Errorf("control: %q %v %v", v, ok, err)
	}
}

// FAULTS 15 an entry of a newer version is not an error for ever: SQL is read once and the feed goes on.
func TestUnknownEntryMeansResync(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := open(t, s.URL(), "truxe:")
	r := &clustertest.Recorder{}
	clustertest.Follow(t, c, r)
	s.Do("XADD", "truxe:revocations", "*", "kind", "tenant", "name", "x", "at", "1", "expires", "2")
	clustertest.Eventually(t, "resync", time.Second,
		func() bool { return slices.Contains(r.Reasons(), cluster.ReasonUnknown) })
	publish(t, c, "after")
	clustertest.Eventually(t, "goes on", time.Second, func() bool { return slices.Contains(r.Names(), "after") })
	if got := r.Names(); len(got) != 1 {
		t.Errorf("the unknown entry was applied: %q", got)
	}
}

// FAULTS 8, 9 a Redis that takes no writes (a replica, or out of memory) is not connected, and says why.
func TestRedisWithoutWritesIsNotConnected(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := open(t, s.URL(), "truxe:")
	clustertest.Follow(t, c, &clustertest.Recorder{})
	s.Do("CONFIG", "SET", "maxmemory", "1")
	clustertest.Eventually(t, "full seen", 2*time.Second, func() bool { return !c.Health().Connected })
	if err := c.Health().Err; err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("cause: %v", err)
	}
	if err := c.Publish(context.Background(), revocation("x")); !errors.Is(err, cluster.ErrUnavailable) {
		t.Errorf("acknowledged: %v", err)
	}
	s.Do("CONFIG", "SET", "maxmemory", "0")
	clustertest.Eventually(t, "healed", 2*time.Second, func() bool { return c.Health().Connected })

	s.Do("REPLICAOF", "127.0.0.1", "1")
	clustertest.Eventually(t, "read-only seen", 3*time.Second, func() bool { return !c.Health().Connected })
	if err := c.Publish(context.Background(), revocation("x")); !errors.Is(err, cluster.ErrUnavailable) {
		t.Errorf("a replica acknowledged: %v", err)
	}
	s.Do("REPLICAOF", "NO", "ONE")
	clustertest.Eventually(t, "healed", 3*time.Second, func() bool { return c.Health().Connected })
	publish(t, c, "x")
}

// ED-25 a transaction that Redis refuses names the refusal of its command ("OOM …"), not the "EXECABORT" that follows
// from it.
func TestRefusedTransactionSaysWhy(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := open(t, s.URL(), "truxe:")
	clustertest.Follow(t, c, &clustertest.Recorder{})
	publish(t, c, "x")
	s.Do("CONFIG", "SET", "maxmemory", "1")
	err := c.Publish(context.Background(), revocation("y"))
	if !errors.Is(err, cluster.ErrUnavailable) || !strings.Contains(err.Error(), "OOM") ||
		strings.Contains(err.Error(), "EXECABORT") {
		t.Errorf("cause: %v", err)
	}
}

// FAULTS 9 servers that answer LOADING, NOAUTH, MOVED or rubbish to everything are loss.
func TestWrongAnswersAreLoss(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"-LOADING Redis is loading\r\n", "-NOAUTH Authentication required.\r\n",
		"-MOVED 1 127.0.0.1:1\r\n", "+OK\r\n", ":1\r\n", "$-1\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n"} {
		t.Run(strings.TrimSpace(answer), func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						buf := make([]byte, 4096)
						for {
							if _, err := conn.Read(buf); err != nil {
								return
							}
							_, _ = conn.Write([]byte(answer))
						}
					}()
				}
			}()
			c := open(t, "redis://"+l.Addr().String(), "truxe:")
			r := &clustertest.Recorder{}
			clustertest.Begin(t, c, r)
			ctx := context.Background()
			out, err := c.Reserve(ctx, []cluster.Bucket{{Key: "k", Burst: 1, Window: time.Minute}})
			if out.Allowed || err == nil {
				t.Errorf("reserve: %v %v", out, err)
			}
			if err := c.Publish(ctx, revocation("x")); err == nil {
				t.Error("publish was acknowledged")
			}
			time.Sleep(400 * time.Millisecond)
			if r.Beats() > 0 || c.Health().Connected {
				t.Errorf("alive: %+v", c.Health())
			}
		})
	}
}

// FAULTS 6 the master dies and a replica takes over: nodes find it, read SQL before the feed counts as alive, and
// revocations are acknowledged again.
func TestSentinelFailoverIsFollowed(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	host, port, _ := net.SplitHostPort(master.Addr())
	replica := redistest.Start(t, "--replicaof", host+" "+port)
	clustertest.Eventually(t, "replica in step", 15*time.Second, func() bool {
		info, _ := replica.Do("INFO", "replication").(string)
		return strings.Contains(info, "master_link_status:up")
	})
	sentinel := redistest.StartSentinel(t, master)
	clustertest.Eventually(t, "replica known to the sentinel", 30*time.Second, func() bool {
		known, _ := sentinel.Do("SENTINEL", "REPLICAS", "main").([]any)
		return len(known) == 1
	})
	c := open(t, "redis+sentinel://"+sentinel.Addr()+"/main", "truxe:")
	r := &clustertest.Recorder{}
	clustertest.Follow(t, c, r)
	publish(t, c, "before")
	clustertest.Eventually(t, "heard", time.Second, func() bool { return slices.Contains(r.Names(), "before") })
	n := len(r.Order())
	master.Stop()
	clustertest.Eventually(t, "lost", 3*time.Second, func() bool { return !c.Health().Connected })
	took := clustertest.Eventually(t, "followed to "+replica.Addr(), 30*time.Second,
		func() bool { return c.Health().Connected })
	t.Logf("failover took %s", took)
	if after := slices.Index(r.Order()[n:], "resync"); after < 0 {
		t.Errorf("no resync: %v", r.Reasons())
	}
	publish(t, c, "after")
	clustertest.Eventually(t, "heard", time.Second, func() bool { return slices.Contains(r.Names(), "after") })
	if replica.Do("GET", "truxe:revoked:after") != "after" {
		t.Error("the revocation is not on the new master " + replica.Addr())
	}
}
