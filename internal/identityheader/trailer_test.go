package identityheader

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// trailerServer guards, reads the body as a proxy does, through a copy of the request, and tells what trailers it got.
func trailerServer(t *testing.T, h2 bool) (*httptest.Server, chan http.Header) {
	t.Helper()
	s, got := site(t), make(chan http.Header, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.GuardTrailers(r)
		copied := r.WithContext(r.Context())
		_, _ = io.Copy(io.Discard, copied.Body)
		all := copied.Trailer.Clone()
		for name, v := range r.Trailer {
			if all == nil {
				all = http.Header{}
			}
			all[name] = v
		}
		got <- all
	}))
	if server.EnableHTTP2 = h2; h2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server, got
}

// HD-01 a chunked body may end with an identity, declared or not; the app's own trailers arrive.
func TestTrailersOfHTTP1CannotCarryAnIdentity(t *testing.T) {
	server, got := trailerServer(t, false)
	for _, c := range []struct{ announced, sent, want string }{
		{"Remote-User, X-Sum", "Remote-User: root\r\nX-Sum: 1\r\n", "X-Sum"},
		{"X-Sum", "X-Sum: 1\r\nRemote-User: root\r\n", "X-Sum"}, // merged by net/http though undeclared
		{"X-Sum", "X-Sum: 1\r\nRemote_User: root\r\nx-truxe-new: 1\r\n", "X-Sum"},
		{"", "Remote-User: root\r\n", ""},
		{"Remote-User", "Remote-User: root\r\n", ""},
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		head := ""
		if c.announced != "" {
			head = "Trailer: " + c.announced + "\r\n"
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: app.test\r\n%sTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n%s\r\n",
			head, c.sent)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("%q: %v %v", c.sent, answer, err)
		}
		conn.Close()
		trailer := <-got
		for name := range trailer {
			if name != c.want {
				t.Errorf("announced %q, sent %q: trailer %q arrives", c.announced, c.sent, name)
			}
		}
		if c.want != "" && trailer.Get(c.want) != "1" {
			t.Errorf("announced %q: the app's own trailer is lost: %v", c.announced, trailer)
		}
	}
}

// HD-01 the same over HTTP/2.
func TestTrailersOfHTTP2CannotCarryAnIdentity(t *testing.T) {
	server, got := trailerServer(t, true)
	r, err := http.NewRequest(http.MethodPost, server.URL, io.NopCloser(strings.NewReader("x")))
	if err != nil {
		t.Fatal(err)
	}
	r.Trailer = http.Header{"Remote-User": {"root"}, "X-Truxe-User-Id": {"root"}, "X-Sum": {"1"}}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.ProtoMajor != 2 {
		t.Fatalf("spoke %s", answer.Proto)
	}
	if trailer := <-got; len(trailer) != 1 || trailer.Get("X-Sum") != "1" {
		t.Errorf("trailers %v, want X-Sum alone", trailer)
	}
}

// The guard costs nothing where no trailer can come, and is there where one can.
func TestOnlyBodiesThatMayEndInTrailersAreWrapped(t *testing.T) {
	s := site(t)
	body := io.NopCloser(strings.NewReader("x"))
	for _, c := range []struct {
		name    string
		r       http.Request
		wrapped bool
	}{
		{"no body", http.Request{Body: http.NoBody, ProtoMajor: 1}, false},
		{"nil body", http.Request{ProtoMajor: 1}, false},
		{"length", http.Request{Body: body, ContentLength: 1, ProtoMajor: 1}, false},
		{"HTTP/2 length", http.Request{Body: body, ContentLength: 1, ProtoMajor: 2}, false},
		{"chunked", http.Request{Body: body, ContentLength: -1, ProtoMajor: 1}, true},
		{"HTTP/2 announced, only ours", http.Request{Body: body, ContentLength: 1, ProtoMajor: 2,
			Trailer: http.Header{"Remote-User": nil}}, true},
		{"HTTP/3", http.Request{Body: body, ContentLength: 1, ProtoMajor: 3}, true},
		{"announced without a body", http.Request{Body: http.NoBody, ProtoMajor: 2,
			Trailer: http.Header{"Remote-User": {"root"}}}, false},
	} {
		s.GuardTrailers(&c.r)
		if _, wrapped := c.r.Body.(*guardedBody); wrapped != c.wrapped {
			t.Errorf("%s: wrapped %v", c.name, wrapped)
		}
		if len(c.r.Trailer) != 0 {
			t.Errorf("%s: announced %v", c.name, c.r.Trailer)
		}
	}
}

// HD-01 two readers of one body, a transport that is not done and the gate that drains the rest, both see its end: the
// race detector finds no two writers of the trailers.
func TestTrailersAreStrippedOnceForTwoReaders(t *testing.T) {
	s := site(t)
	for range 200 {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Body, r.ContentLength, r.Trailer = io.NopCloser(ended{}), -1, http.Header{"X-Sum": nil}
		s.GuardTrailers(r)
		for i := range 20 { // as they arrive with the end of the body
			r.Trailer["X-Truxe-"+strings.Repeat("A", i+1)] = []string{"forged"}
		}
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if _, err := r.Body.Read(make([]byte, 1)); err != io.EOF {
					t.Error(err)
				}
				if len(r.Trailer) != 1 { // control: the app's own is left
					t.Errorf("trailers %v", r.Trailer)
				}
			})
		}
		all.Wait()
	}
}

// ended is a body at its end.
type ended struct{}

func (ended) Read([]byte) (int, error) { return 0, io.EOF }
