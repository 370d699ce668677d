package gate

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/authn"
)

// response is the answer of the handlers after the gate, with what all gates of the request share. It is part of the
// first trail of a request, so it costs no allocation; gates after the first one use the same.
type response struct {
	http.ResponseWriter
	begun  bool // the header of the final answer has been sent
	own    bool // the gateway answers after all: a gate or the portal behind the first gate
	forget bool // the browser sent two session cookies and must forget both (SE-06)
	harden bool // security_headers on
	https  bool // the visitor's connection is https to a name that is not this machine's: HSTS holds

	reading *reading // the last path of the request that has several readings, or is refused; nil: none
}

// WriteHeader completes the header before it is sent. Informational answers (1xx) go through the same hands, since
// browsers may keep cookies of them.
func (w *response) WriteHeader(status int) {
	if !w.begun {
		w.complete(status)
		w.begun = status >= http.StatusOK || status == http.StatusSwitchingProtocols
	}
	w.ResponseWriter.WriteHeader(status)
}

// complete removes the gateway's cookies from the app's answer and adds what the directive asks for.
func (w *response) complete(status int) {
	if w.own {
		return
	}
	h := w.Header()
	stripSetCookies(h)
	if status < http.StatusOK {
		return
	}
	if w.forget {
		authn.ClearCookie(h, authn.SessionCookie)
		w.forget = false
	}
	if w.harden && status != http.StatusNotModified {
		addSecurityHeaders(h, w.https)
	}
}

// settle completes the header of an answer that the handlers left to the server: an empty 200, or an error.
func (w *response) settle() {
	if !w.begun {
		w.complete(http.StatusOK)
	}
}

// begin sends the header before the first byte of a body.
func (w *response) begin() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
}

// Write sends a part of the body.
func (w *response) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// ReadFrom sends a body by the server's own means, sendfile among them.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	if to, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	return io.Copy(w.ResponseWriter, r)
}

// Flush is FlushError for handlers that know http.Flusher alone.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError sends what is written so far, the header first: http.ResponseController would pass this writer by.
func (w *response) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack hands the connection over. What a handler writes to it by itself is not HTTP to us any more; reverse_proxy
// sends the header of a 101 first.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if !errors.Is(err, http.ErrNotSupported) {
		w.begun = true
	}
	return conn, rw, err
}

// Push starts an HTTP/2 push where the server can.
func (w *response) Push(target string, opts *http.PushOptions) error {
	if p, ok := w.ResponseWriter.(http.Pusher); ok {
		return p.Push(target, opts)
	}
	return http.ErrNotSupported
}

// Unwrap is for http.ResponseController: deadlines and full duplex.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// OwnAnswer notes that the gateway itself answers a request which a gate has let through: its cookies stay.
func OwnAnswer(r *http.Request) { setOwn(r, true) }

func setOwn(r *http.Request, own bool) {
	if t := trailOf(r); t != nil {
		t.answer.own = own
	}
}
