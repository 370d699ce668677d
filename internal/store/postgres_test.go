package store_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// OP-01: plain text and unverified certificates off loopback are warned of.
func TestUnsafeConnectionToPostgresIsWarnedOf(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://u@127.0.0.1/d?sslmode=disable":                       "",
		"postgres://u@localhost/d":                                       "",
		"postgres://u@[::1]/d?sslmode=disable":                           "",
		"host=/var/run/postgresql user=u":                                "",
		"postgres://u@db.example.com/d?sslmode=disable":                  "plain text",
		"postgres://u@db.example.com/d":                                  "plain text", // prefer falls back
		"postgres://u@db.example.com/d?sslmode=allow":                    "plain text",
		"postgres://u@db.example.com/d?sslmode=require":                  "not verified",
		"postgres://u@db.example.com/d?sslmode=verify-full":              "",
		"postgres://u@127.0.0.1,db2.example.com/d?sslmode=disable":       "db2.example.com",
		"postgres://u@192.0.2.1:5432/d?sslmode=disable":                  "192.0.2.1",
		"postgres://u@db1.example.com,db2.example.com/d?sslmode=require": "db2.example.com",
	} {
		got := strings.Join(store.TLSWarnings(t, dsn), "; ")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", dsn, got, want)
		}
	}
}

// AU-07: errors about a connection do not show its password.
func TestPasswordOfTheDatabaseIsInNoError(t *testing.T) {
	const canary = "CanaryPassw0rd"
	for _, dsn := range []string{
		"postgres://u:" + canary + "@127.0.0.1:1/d?connect_timeout=1",
		"postgres://u:" + canary + "@127.0.0.1:1/d?sslmode=nonsense",
		"postgres://u:" + canary + "@127.0.0.1:notaport/d", "host=127.0.0.1 port=1 user=u password=" + canary,
		"host=127.0.0.1 port=x user=u password=" + canary,
		"postgres://u:" + canary + "%zz@127.0.0.1/d",
	} {
		s, err := store.Open(context.Background(), store.Config{Driver: "postgres", DSN: dsn})
		if err == nil {
			_ = s.Close()
			t.Fatal("opened")
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%v", err)
		}
	}
}

// proxy passes connections to a server until it is told to hold them back or to cut them.
type proxy struct {
	net.Listener
	held, cut atomic.Bool
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil || p.cut.Load() {
				_ = in.Close()
				continue
			}
			go p.pass(in, out)
			go p.pass(out, in)
		}
	}()
	return p
}

func (p *proxy) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		_ = from.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := from.Read(buf)
		for n > 0 && p.held.Load() && !p.cut.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		if p.cut.Load() {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		var timeout net.Error
		if err != nil && (!errors.As(err, &timeout) || !timeout.Timeout() || errors.Is(err, io.EOF)) {
			return
		}
	}
}

// FAULTS 14: a server that is silent or gone is unavailable in time, and is used again by itself.
func TestSilentAndLostPostgresIsUnavailableInTimeAndHeals(t *testing.T) {
	cfg := storetest.Fresh(t, "postgres")
	u, err := url.Parse(cfg.DSN)
	must(t, err)
	p := startProxy(t, u.Host)
	u.Host = p.Addr().String()
	cfg.DSN = u.String()
	s := storetest.Open(t, cfg)
	ctx := context.Background()
	calls := map[string]func() error{
		"read":        func() error { _, err := s.CountUsers(ctx); return err },
		"write":       func() error { return s.SetMeta(ctx, "k", "v") },
		"transaction": func() error { return s.Tx(ctx, func(tx *store.Tx) error { return tx.SetMeta(ctx, "k", "v") }) },
		"ping":        func() error { return s.Ping(ctx) },
	}
	down := func(what string) {
		t.Helper()
		for name, call := range calls {
			start := time.Now()
			err := call()
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s, %s: %v", what, name, err)
			}
			timebound.Check(t, what+", "+name, time.Since(start), 2500*time.Millisecond)
		}
	}
	up := func(what string) {
		t.Helper()
		start := time.Now()
		for {
			err := s.Ping(ctx)
			if err == nil {
				break
			}
			if time.Since(start) > timebound.Limit(2*time.Second) {
				t.Fatalf("%s: not back: %v", what, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		for name, call := range calls {
			if err := call(); err != nil {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
	}
	up("before")
	p.held.Store(true)
	down("silent")
	p.held.Store(false)
	up("no longer silent")
	p.cut.Store(true)
	down("gone")
	p.cut.Store(false)
	up("no longer gone")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.CountUsers(cancelled); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a caller that went away: %v", err)
	}
}

// ED-25 of several hosts, one that takes connections and answers nothing costs its own time, not that of the next.
func TestSilentHostLeavesTimeForTheNext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	cfg := storetest.Fresh(t, "postgres")
	u, err := url.Parse(cfg.DSN)
	must(t, err)
	u.Host = l.Addr().String() + "," + u.Host
	cfg.DSN = u.String()
	s := storetest.Open(t, cfg)
	must(t, s.SetMeta(context.Background(), "k", "v"))
}

// ED-25 the PG* variables of the environment that a connection string overrides do not matter.
func TestOverriddenVariablesOfTheEnvironmentDoNotMatter(t *testing.T) {
	cfg := storetest.Fresh(t, "postgres")
	t.Setenv("PGSSLMODE", "nonsense")
	t.Setenv("PGPORT", "nonsense")
	t.Setenv("PGCONNECT_TIMEOUT", "nonsense")
	cfg.DSN += "&connect_timeout=5"
	storetest.Open(t, cfg)
}
