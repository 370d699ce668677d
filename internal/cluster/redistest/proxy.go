package redistest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is between a node and its server and delays, swallows or cuts what passes.
type Proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	delay time.Duration
	hole  bool
	conns map[net.Conn]struct{}
}

// NewProxy listens on loopback and passes everything to target until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	t.Cleanup(func() { l.Close(); p.Cut() })
	go p.accept()
	return p
}

// Addr is where to connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Delay holds every chunk in the direction of the client back for d.
func (p *Proxy) Delay(d time.Duration) { p.mu.Lock(); p.delay = d; p.mu.Unlock() }

// BlackHole swallows everything, new connections included, without closing anything.
func (p *Proxy) BlackHole(on bool) { p.mu.Lock(); p.hole = on; p.mu.Unlock() }

// Cut closes all connections; new ones are served again.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		go p.pass(server, client, false)
		go p.pass(client, server, true)
	}
}

func (p *Proxy) pass(to, from net.Conn, slow bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			p.mu.Lock()
			delay, hole := p.delay, p.hole
			p.mu.Unlock()
			if slow && delay > 0 {
				time.Sleep(delay)
			}
			if !hole {
				if _, err := to.Write(buf[:n]); err != nil {
					return
				}
			}
		}
		if err != nil {
			return
		}
	}
}
