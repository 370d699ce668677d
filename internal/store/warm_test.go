package store_test

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
)

// slowToOpen passes connections to target; those made after the gate is shut wait until it is opened.
func slowToOpen(t *testing.T, target string) (addr string, shut func(), opened func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	gate := make(chan struct{})
	close(gate)
	var mu sync.Mutex
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			wait := gate
			mu.Unlock()
			go func() {
				<-wait
				out, err := net.Dial("tcp", target)
				if err != nil {
					_ = in.Close()
					return
				}
				go relay(in, out)
				relay(out, in)
			}()
		}
	}()
	shut = func() { mu.Lock(); gate = make(chan struct{}); mu.Unlock() }
	return l.Addr().String(), shut, func() { mu.Lock(); defer mu.Unlock(); close(gate) }
}

func relay(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// ED-41 D: a store has connections before it says that it is open. While new ones take for ever, a burst of callers
// larger than the number of connections queues for those, and no caller fails for want of a connection.
func TestBurstAtTheStartNeedsNoNewConnection(t *testing.T) {
	cfg := storetest.Fresh(t, "postgres")
	u, err := url.Parse(cfg.DSN)
	must(t, err)
	addr, shut, open := slowToOpen(t, u.Host)
	u.Host = addr
	cfg.DSN = u.String()
	s := storetest.Open(t, cfg)
	shut()
	defer open()
	ctx := context.Background()
	var wg sync.WaitGroup
	errs := make(chan error, 200)
	for range 100 {
		wg.Go(func() { _, err := s.CountUsers(ctx); errs <- err })
		wg.Go(func() {
			errs <- s.Tx(ctx,
				func(tx *store.Tx) error { _, err := tx.CountUsers(ctx); time.Sleep(time.Millisecond); return err })
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ED-41: connections that the server has ended are opened again before they are needed.
func TestEndedConnectionsAreOpenedAgain(t *testing.T) {
	cfg := storetest.Fresh(t, "postgres")
	s := storetest.Open(t, cfg)
	ctx := context.Background()
	store.EndConnections(t, s)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := s.CountUsers(ctx); err == nil && store.OpenConnections(s) >= 10 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections are open", store.OpenConnections(s))
		}
	}
}
