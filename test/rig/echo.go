package rig

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// EchoServer is an upstream on loopback that parses HTTP/1.1 itself, so that nothing is folded, sorted or merged. It
// records every request and answers with it as JSON (Seen). /ws echoes WebSocket messages, /sse sends an event every
// 50 ms until the client goes.
type EchoServer struct {
	t        testing.TB
	listener net.Listener
	mu       sync.Mutex
	seen     []Seen
	streams  int
	conns    map[net.Conn]bool
}

// Echo starts an upstream that ends with the test.
func Echo(t testing.TB) *EchoServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start the echo upstream: %v", err)
	}
	e := &EchoServer{t: t, listener: l, conns: map[net.Conn]bool{}}
	go e.accept()
	t.Cleanup(e.Close)
	return e
}

// Addr is host:port, for reverse_proxy.
func (e *EchoServer) Addr() string { return e.listener.Addr().String() }

// Close ends the upstream and every connection to it.
func (e *EchoServer) Close() {
	_ = e.listener.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range e.conns {
		_ = c.Close()
	}
}

// Seen is all requests so far, the ones that could not be read whole included.
func (e *EchoServer) Seen() []Seen {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Seen(nil), e.seen...)
}

// Forget empties the record.
func (e *EchoServer) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = nil
}

// Last is the newest request; none fails the test.
func (e *EchoServer) Last() Seen {
	e.t.Helper()
	seen := e.Seen()
	if len(seen) == 0 {
		e.t.Fatal("the upstream has received nothing")
	}
	return seen[len(seen)-1]
}

// Streams is how many /ws and /sse connections are open.
func (e *EchoServer) Streams() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.streams
}

func (e *EchoServer) accept() {
	for n := 1; ; n++ {
		conn, err := e.listener.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		e.conns[conn] = true
		e.mu.Unlock()
		go func() {
			defer func() {
				_ = conn.Close()
				e.mu.Lock()
				delete(e.conns, conn)
				e.mu.Unlock()
			}()
			e.serve(conn, n)
		}()
	}
}

// serve answers one connection's requests, one after the other.
func (e *EchoServer) serve(conn net.Conn, n int) {
	br := bufio.NewReader(conn)
	for {
		s, err := readRequest(br, conn)
		if s.Raw == "" {
			return // closed between requests
		}
		s.Conn, s.Received = n, time.Now()
		if err != nil {
			s.Problem = err.Error()
		}
		e.mu.Lock()
		e.seen = append(e.seen, s)
		e.mu.Unlock()
		if err != nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		switch path, _, _ := strings.Cut(s.Target, "?"); path {
		case "/ws":
			e.stream(func() { serveWebSocket(s, conn, br) })
			return
		case "/sse":
			e.stream(func() { serveEvents(conn) })
			return
		}
		body, _ := json.Marshal(s)
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
		if s.Method == http.MethodHead {
			body = nil
		}
		if _, err := conn.Write(append([]byte(head), body...)); err != nil {
			return
		}
	}
}

func (e *EchoServer) stream(serve func()) {
	e.mu.Lock()
	e.streams++
	e.mu.Unlock()
	serve()
	e.mu.Lock()
	e.streams--
	e.mu.Unlock()
}
