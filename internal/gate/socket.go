package gate

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/authn"
)

// What a page sends over an open WebSocket is use of its session, as its requests are (SE-10): a user who works in a
// terminal or a notebook sends no others. What the app sends is not. A WebSocket's answers to pings count too, since
// they cannot be told from data without reading the protocol; `passive` takes a socket out.

// socketUse is whose use is noted. It is a value of two pointers, so that a request without a socket allocates nothing
// for it.
type socketUse struct {
	verifier *authn.Verifier
	entry    *authn.Entry
}

func (u socketUse) note() { u.verifier.Used(u.entry) }

// usedSocket notes what comes over a connection once the app has taken it over.
type usedSocket struct {
	http.ResponseWriter
	use socketUse
}

// Unwrap is for http.ResponseController.
func (s *usedSocket) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Hijack hands the connection over, as the writer underneath does.
func (s *usedSocket) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &usedConn{conn, s.use}, rw, nil
}

type usedConn struct {
	net.Conn
	use socketUse
}

func (c *usedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.use.note()
	}
	return n, err
}

// CloseWrite ends what the app sends and leaves the other direction open, where the connection can. reverse_proxy ends
// the tunnel when it fails, as it does with a connection that has no such method.
func (c *usedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// usedBody is the same for the extended CONNECT of HTTP/2 and 3, whose stream is the body.
type usedBody struct {
	io.ReadCloser
	use socketUse
}

func (b *usedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.use.note()
	}
	return n, err
}

// keepInUse wraps a WebSocket's request and its answer.
func keepInUse(w http.ResponseWriter, r *http.Request, use socketUse) http.ResponseWriter {
	if r.Method == http.MethodConnect && r.Body != nil {
		r.Body = &usedBody{r.Body, use}
		return w
	}
	return &usedSocket{w, use}
}
