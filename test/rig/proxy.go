package rig

import (
	"net"
	"sync"
	"testing"
	"time"
)

// ProxyServer is a TCP proxy on loopback that a test puts before Redis or PostgreSQL to make the line bad.
type ProxyServer struct {
	target   string
	listener net.Listener

	mu     sync.Mutex
	delay  time.Duration
	opens  time.Duration
	frozen bool
	refuse bool
	conns  map[net.Conn]bool
	thawed *sync.Cond
	ended  bool
}

// Proxy starts a proxy to target (host:port) that ends with the test.
func Proxy(t testing.TB, target string) *ProxyServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start the proxy: %v", err)
	}
	p := &ProxyServer{target: target, listener: l, conns: map[net.Conn]bool{}}
	p.thawed = sync.NewCond(&p.mu)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		p.thawed.Broadcast()
		p.Cut()
	})
	go p.accept()
	return p
}

// Addr is host:port of the proxy.
func (p *ProxyServer) Addr() string { return p.listener.Addr().String() }

// Delay holds every piece of data back for d, in both directions.
func (p *ProxyServer) Delay(d time.Duration) { p.set(func() { p.delay = d }) }

// DelayOpen holds new connections back for d; those that are open are not slowed.
func (p *ProxyServer) DelayOpen(d time.Duration) { p.set(func() { p.opens = d }) }

// Freeze lets nothing through and closes nothing: a black hole. New connections are accepted and hang.
func (p *ProxyServer) Freeze() { p.set(func() { p.frozen = true }) }

// Thaw ends Freeze; what was held goes on.
func (p *ProxyServer) Thaw() { p.set(func() { p.frozen = false }) }

// Drop closes every connection, and new ones at once, until Heal.
func (p *ProxyServer) Drop() {
	p.set(func() { p.refuse = true })
	p.Cut()
}

// Heal ends Drop, Freeze, Delay and DelayOpen.
func (p *ProxyServer) Heal() {
	p.set(func() { p.refuse, p.frozen, p.delay, p.opens = false, false, 0, 0 })
}

// Cut closes the connections of this moment; new ones are served.
func (p *ProxyServer) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *ProxyServer) set(f func()) {
	p.mu.Lock()
	f()
	p.mu.Unlock()
	p.thawed.Broadcast()
}

func (p *ProxyServer) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.connect(client)
	}
}

func (p *ProxyServer) connect(client net.Conn) {
	p.mu.Lock()
	refuse, opens := p.refuse, p.opens
	p.mu.Unlock()
	time.Sleep(opens)
	server, err := net.Dial("tcp", p.target)
	if refuse || err != nil {
		_ = client.Close()
		if err == nil {
			_ = server.Close()
		}
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	go p.pipe(client, server)
	p.pipe(server, client)
}

// pipe copies one direction until either side ends; then both do.
func (p *ProxyServer) pipe(from, to net.Conn) {
	defer func() {
		_ = from.Close()
		_ = to.Close()
		p.mu.Lock()
		delete(p.conns, from)
		p.mu.Unlock()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !p.pass() {
				return
			}
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits as the line's state says; false when the proxy has ended.
func (p *ProxyServer) pass() bool {
	p.mu.Lock()
	delay := p.delay
	p.mu.Unlock()
	time.Sleep(delay)
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.frozen && !p.ended {
		p.thawed.Wait()
	}
	return !p.ended
}
