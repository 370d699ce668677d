package gate

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// counting counts uses.
type counting struct{ uses int }

func (c *counting) Find(context.Context, string, string) (*authn.Entry, error) { return nil, nil }
func (c *counting) Used(*authn.Entry)                                          { c.uses++ }

// taken is a connection that can be taken over.
type taken struct {
	http.ResponseWriter
	conn net.Conn
}

func (w taken) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// ED-23 SE-10: what a client sends over a socket is use, with HTTP/1.1 and as an extended CONNECT; what the app sends
// is not.
func TestBytesOfTheClientAreUse(t *testing.T) {
	sessions := &counting{}
	use := socketUse{&authn.Verifier{Sessions: sessions},
		&authn.Entry{Principal: &identity.Principal{Credential: identity.CredentialCookie}}}
	client, server := net.Pipe()
	defer client.Close()
	upgrade := httptest.NewRequest(http.MethodGet, "/ws", nil)
	w := keepInUse(taken{httptest.NewRecorder(), server}, upgrade, use)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = client.Write([]byte("x")) }()
	if n, err := conn.Read(make([]byte, 8)); n != 1 || err != nil || sessions.uses != 1 {
		t.Errorf("%d bytes, %v, %d uses", n, err, sessions.uses)
	}
	go func() { _, _ = io.Copy(io.Discard, client) }()
	if _, err := conn.Write([]byte("from the app")); err != nil || sessions.uses != 1 {
		t.Errorf("%v, %d uses", err, sessions.uses)
	}
	_ = conn.Close()
	if _, err := conn.Read(make([]byte, 8)); err == nil || sessions.uses != 1 {
		t.Errorf("the end of a connection is use: %d", sessions.uses)
	}
	connect := httptest.NewRequest(http.MethodConnect, "/ws", nil)
	connect.Body = io.NopCloser(strings.NewReader("abc"))
	keepInUse(httptest.NewRecorder(), connect, use)
	if raw, err := io.ReadAll(connect.Body); string(raw) != "abc" || err != nil || sessions.uses != 2 {
		t.Errorf("%q %v, %d uses", raw, err, sessions.uses)
	}
	plain := keepInUse(httptest.NewRecorder(), upgrade, use) // a writer that cannot be hijacked
	if _, _, err := http.NewResponseController(plain).Hijack(); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("hijack: %v", err)
	}
}

// ED-23 an app that ends its half of a connection still gets what the client sends, as without a gate.
func TestSocketCanBeClosedInOneDirection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	use := socketUse{&authn.Verifier{Sessions: &counting{}}, &authn.Entry{Principal: &identity.Principal{}}}
	conn := func(of net.Conn) interface{ CloseWrite() error } {
		taken, _, err := http.NewResponseController(keepInUse(taken{httptest.NewRecorder(), of},
			httptest.NewRequest(http.MethodGet, "/ws", nil), use)).Hijack()
		if err != nil {
			t.Fatal(err)
		}
		half, ok := taken.(interface{ CloseWrite() error })
		if !ok {
			t.Fatal("the connection cannot be closed in one direction")
		}
		return half
	}
	if err := conn(server).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(client); len(rest) > 0 || err != nil {
		t.Errorf("%q %v", rest, err)
	}
	if _, err := client.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if n, err := server.Read(make([]byte, 8)); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	pipe, _ := net.Pipe()
	if err := conn(pipe).CloseWrite(); !errors.Is(err, errors.ErrUnsupported) { // which ends the tunnel
		t.Errorf("a connection without halves: %v", err)
	}
}
