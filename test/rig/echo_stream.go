package rig

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"
)

// serveWebSocket completes the handshake and returns every message until either side closes.
func serveWebSocket(s Seen, conn net.Conn, br *bufio.Reader) {
	header := http.Header{}
	for _, f := range s.Header {
		header.Add(f.Name, f.Value)
	}
	u, _ := url.ParseRequestURI(s.Target)
	r := &http.Request{Method: s.Method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
		Host: header.Get("Host")}
	w := &hijackable{conn: conn, br: br, header: http.Header{}}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer func() { _ = ws.CloseNow() }()
	for {
		kind, msg, err := ws.Read(r.Context())
		if err != nil || ws.Write(r.Context(), kind, msg) != nil {
			return
		}
	}
}

// hijackable is the least of an http.ResponseWriter that a WebSocket handshake needs.
type hijackable struct {
	conn   net.Conn
	br     *bufio.Reader
	header http.Header
}

func (h *hijackable) Header() http.Header { return h.header }

func (h *hijackable) Write(b []byte) (int, error) { return h.conn.Write(b) }

func (h *hijackable) WriteHeader(status int) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	if status != http.StatusSwitchingProtocols {
		h.header.Set("Connection", "close")
	}
	_ = h.header.Write(&b)
	b.WriteString("\r\n")
	_, _ = h.conn.Write(b.Bytes())
}

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(h.br, bufio.NewWriter(h.conn)), nil
}

func serveEvents(conn net.Conn) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		return
	}
	for n := 1; ; n++ {
		if _, err := fmt.Fprintf(conn, "data: %d\n\n", n); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
