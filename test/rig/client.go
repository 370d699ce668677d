package rig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// site is one listener with one host name it must have a certificate for; host is empty for plain HTTP.
type site struct {
	addr, host string
	roots      func() *x509.CertPool
}

// ready says whether the listener accepts and, with a host, shows a certificate of Caddy's local CA for it.
func (s site) ready() bool {
	d := net.Dialer{Timeout: time.Second}
	if s.host == "" {
		conn, err := d.Dial("tcp", s.addr)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}
	conn, err := tls.DialWithDialer(&d, "tcp", s.addr, &tls.Config{ServerName: s.host, RootCAs: s.roots()})
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// servers reads from the running configuration what must be ready: Caddy fetches its certificates after it has begun to
// listen, and a handshake before that fails.
func (g *Caddy) servers(config []byte) []site {
	g.t.Helper()
	var app struct {
		Servers map[string]struct {
			Listen []string
			Routes []struct {
				Match []struct{ Host []string }
			}
			Auto struct {
				Disable bool
				Skip    []string // http:// sites
			} `json:"automatic_https"`
			TLS []json.RawMessage `json:"tls_connection_policies"`
		}
	}
	if err := json.Unmarshal(config, &app); err != nil {
		g.t.Fatalf("read the running configuration: %v", err)
	}
	var sites []site
	for _, server := range app.Servers {
		for _, listen := range server.Listen {
			_, port, err := net.SplitHostPort(listen)
			if err != nil || strings.HasPrefix(listen, "unix") || strings.HasPrefix(listen, "udp") {
				continue
			}
			addr := net.JoinHostPort("127.0.0.1", port)
			sites = append(sites, site{addr: addr})
			if port == strconv.Itoa(g.Port("http")) || server.Auto.Disable && len(server.TLS) == 0 {
				continue
			}
			for _, route := range server.Routes {
				for _, match := range route.Match {
					for _, host := range match.Host {
						if !strings.ContainsAny(host, "*{") && !slices.Contains(server.Auto.Skip, host) {
							sites = append(sites, site{addr, host, g.Roots})
						}
					}
				}
			}
		}
	}
	return sites
}

// Roots holds the root certificate of the gateway's local CA; empty while there is none (plain HTTP sites only).
func (g *Caddy) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	if pem, err := os.ReadFile(g.RootFile()); err == nil {
		pool.AppendCertsFromPEM(pem)
	}
	return pool
}

// RootFile is the PEM file of the gateway's local CA, for curl --cacert.
func (g *Caddy) RootFile() string {
	return filepath.Join(g.DataDir(), "pki", "authorities", "local", "root.crt")
}

// Dial connects to the gateway whatever the host is: port 443 goes to its HTTPS port, 80 to its HTTP port, any other
// stays. So https://app.example.com reaches the site of that name, and nothing ever leaves loopback.
func (g *Caddy) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	switch port {
	case "443":
		port = strconv.Itoa(g.Port("https"))
	case "80":
		port = strconv.Itoa(g.Port("http"))
	}
	var d net.Dialer
	return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

// Client is a browser-like client of its own: cookie jar, trust in the local CA, HTTP/1.1, redirects returned and not
// followed, 30 s for a whole exchange.
func (g *Caddy) Client() *http.Client {
	return g.client(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.Roots(), NextProtos: []string{"http/1.1"}}})
}

// ClientH2 is Client over HTTP/2.
func (g *Caddy) ClientH2() *http.Client {
	return g.client(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.Roots()}, ForceAttemptHTTP2: true})
}

func (g *Caddy) client(tr *http.Transport) *http.Client {
	g.t.Helper()
	tr.DialContext = g.Dial
	jar, err := cookiejar.New(nil)
	if err != nil {
		g.t.Fatalf("make a cookie jar: %v", err)
	}
	g.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport: tr, Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// URL is https://localhost:PORT plus path, for sites `localhost` (their port is the HTTPS port).
func (g *Caddy) URL(path string) string {
	return fmt.Sprintf("https://localhost:%d%s", g.Port("https"), path)
}

// RawTLS opens a TLS connection to host on the gateway's HTTPS port, HTTP/1.1 by ALPN: for tests that write bytes.
func (g *Caddy) RawTLS(host string) *tls.Conn {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := g.Dial(ctx, "tcp", host+":443")
	if err != nil {
		g.t.Fatalf("connect to the gateway: %v", err)
	}
	c := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: g.Roots(), NextProtos: []string{"http/1.1"}})
	if err := c.HandshakeContext(ctx); err != nil {
		g.t.Fatalf("TLS handshake for %s: %v", host, err)
	}
	g.t.Cleanup(func() { _ = c.Close() })
	return c
}
