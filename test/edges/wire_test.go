package edges

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// world is one gateway that is given one configuration after the other, its upstreams and its users.
type world struct {
	t      testing.TB
	g      *rig.Caddy
	ups    []*rig.EchoServer
	people []*person
	conns  map[string]*wire
}

// answer is what came back to the client, and what arrived at the upstreams meanwhile.
type answer struct {
	status int
	header http.Header
	body   string
	seen   []arrival
}

// arrival is one request at an upstream.
type arrival struct {
	app int
	rig.Seen
}

type wire struct {
	net.Conn
	br *bufio.Reader
}

// newWorld starts a gateway at which every user is signed in at every host.
func newWorld(t testing.TB) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "truxe-edges-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{t: t, people: cast(), conns: map[string]*wire{}}
	for range 2 {
		w.ups = append(w.ups, rig.Echo(t))
	}
	writeUsers(t, dir, w.people)
	c := &config{}
	for _, h := range hosts {
		if h != portalHost {
			c.sites = append(c.sites, &site{host: h, port: "https", body: []item{{gate: &gate{}}, {app: 1}}})
		}
	}
	text := strings.Replace(c.caddyfile(w.addresses()), "respond 404", "truxe", 1)
	w.g = rig.Gateway(t, rig.Options{Caddyfile: text, Dir: dir})
	for _, p := range w.people {
		signInEverywhere(t, w.g, p)
	}
	return w
}

func (w *world) addresses() []string {
	var all []string
	for _, up := range w.ups {
		all = append(all, up.Addr())
	}
	return all
}

// load replaces the gateway's configuration. An error is the gateway's refusal.
func (w *world) load(c *config) error {
	w.hangUp()
	return w.g.Load(c.caddyfile(w.addresses()))
}

func (w *world) hangUp() {
	for key, c := range w.conns {
		_ = c.Close()
		delete(w.conns, key)
	}
}

var portName = regexp.MustCompile(`\{\{port "([a-z]+)"\}\}`)

// ports fills in the ports of a text.
func (w *world) ports(text string) string {
	return portName.ReplaceAllStringFunc(text,
		func(p string) string { return strconv.Itoa(w.g.Port(portName.FindStringSubmatch(p)[1])) })
}

// dial connects to a listener, from the proxy's address or from another one.
func (w *world) dial(port string, trusted bool) (*wire, error) {
	from := net.IPv4(127, 0, 0, 1)
	if trusted {
		from = net.IPv4(127, 0, 0, 2)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 5 * time.Second}
	conn, err := d.Dial("tcp", "127.0.0.1:"+strconv.Itoa(w.g.Port(port)))
	if err != nil {
		return nil, err
	}
	if port == "plain" {
		return &wire{conn, bufio.NewReader(conn)}, nil
	}
	// Every configuration has a certificate for the portal's name; the Host header says which site is meant.
	secure := tls.Client(conn, &tls.Config{ServerName: portalHost, RootCAs: w.g.Roots(), NextProtos: []string{"http/1.1"}})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &wire{secure, bufio.NewReader(secure)}, nil
}

// send sends one request as bytes and reads the answer and what arrived.
func (w *world) send(port string, trusted bool, method, raw string) (answer, error) {
	for _, up := range w.ups {
		up.Forget()
	}
	key := fmt.Sprint(port, trusted)
	var a answer
	var err error
	for try := range 20 {
		if a, err = w.exchange(key, port, trusted, method, raw); err == nil {
			break
		}
		if c := w.conns[key]; c != nil { // closed by the server while it was idle, or a listener that begins
			_ = c.Close()
			delete(w.conns, key)
		}
		if try > 0 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	for n, up := range w.ups {
		for _, s := range up.Seen() {
			a.seen = append(a.seen, arrival{n + 1, s})
		}
	}
	return a, err
}

func (w *world) exchange(key, port string, trusted bool, method, raw string) (answer, error) {
	c := w.conns[key]
	if c == nil {
		var err error
		if c, err = w.dial(port, trusted); err != nil {
			return answer{}, err
		}
		w.conns[key] = c
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, raw); err != nil {
		return answer{}, err
	}
	res, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	_ = res.Body.Close()
	if err != nil {
		return answer{}, err
	}
	if res.Close || res.StatusCode == http.StatusSwitchingProtocols {
		_ = c.Close()
		delete(w.conns, key)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(body)}, nil
}

// ask sends a drawn request.
func (w *world) ask(r *request) (answer, error) {
	method, _ := r.line()
	return w.send(r.port, r.trusted, method, r.raw(w.ports))
}
