package test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// fronts are the proxies whose blocks of docs/how-to/behind-a-proxy.md are started here.
var fronts = []string{"nginx", "haproxy"}

// around is the rest of a configuration: the documented block goes in place of BLOCK.
var around = map[string]string{
	"nginx": `daemon off; master_process off; pid DIR/pid; error_log stderr;
events {}
http {
	access_log off; client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
	map $http_upgrade $connection_upgrade { default upgrade; "" close; }
	server { listen 127.0.0.1:PORT ssl; ssl_certificate CERTIFICATE; ssl_certificate_key CERTIFICATE;
BLOCK
	}
}
`,
	"haproxy": `defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
    timeout tunnel 30s
frontend outside
    bind 127.0.0.1:PORT ssl crt CERTIFICATE
    default_backend gateway
BLOCK
`,
}

// ED-21 (FIELD-CASES 9, 16): nginx and HAProxy, started from the documented blocks, end TLS in front of a plain-http
// site. Sign-in, deep link, issuer and WebSocket work, and a request past the proxy is refused.
func TestDocumentedProxiesInFront(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(rig.Root(), "docs", "how-to", "behind-a-proxy.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := tell(t, plot{global: behind, sites: site(`http://app.example.com:{{port "inner"}}`,
		"\ttruxe\n\treverse_proxy UPSTREAM")})
	for _, name := range fronts {
		t.Run(name, func(t *testing.T) {
			block := ""
			for _, b := range blocksOf("behind-a-proxy.md", string(text)) {
				if b.mark == "front" && b.arg == name {
					block = b.text
				}
			}
			if block == "" {
				t.Fatal("the document has no such block")
			}
			inner := "127.0.0.1:" + itoa(s.g.Port("inner"))
			block = strings.NewReplacer("10.0.0.7:80", inner, "10.0.0.7", inner).Replace(block)
			port, roots := startFront(t, name, block)
			v := &visitor{s: &story{t: t, g: s.g, up: s.up}, c: s.g.Client(), host: "app.example.com"}
			v.c.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}},
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+itoa(port))
				}}
			login := v.get("/deep?x=1", navigate).want(http.StatusFound).header.Get("Location")
			a := v.tryForm(login, "pia", piaPassword).want(http.StatusSeeOther)
			if leads := v.get(a.header.Get("Location"),
				navigate).want(http.StatusOK).header.Get("Refresh"); !strings.HasSuffix(leads, "url=/deep?x=1") {
				t.Errorf("leads to %q", leads)
			}
			v.get("/deep?x=1", navigate).want(http.StatusOK)
			var out tokens
			v.api("POST", "login", map[string]string{"username": "pia", "password": piaPassword}).want(http.StatusOK).json(&out)
			if iss := claimsOf(t, out.Access)["iss"]; iss != "https://app.example.com" {
				t.Errorf("iss %v", iss)
			}
			ws, status, err := v.socket("/ws", []string{"Origin", "https://app.example.com", "Sec-Fetch-Site", "same-origin",
				"Sec-Fetch-Mode", "websocket"})
			if err != nil {
				t.Errorf("WebSocket: %d %v", status, err)
			} else {
				_ = ws.Close(websocket.StatusNormalClosure, "")
			}
			past := &visitor{s: v.s, c: s.g.Client(), host: "app.example.com"}
			past.get("http://"+inner+"/", []string{"Host", "app.example.com"}, program).problem(http.StatusForbidden,
				"https_required")
		})
	}
}

// startFront starts a proxy with a certificate of its own, and ends it with the test.
func startFront(t *testing.T, name, block string) (int, *x509.CertPool) {
	t.Helper()
	dir, port, cert := t.TempDir(), rig.Port(t), rig.Certificate(t, "app.example.com")
	file := filepath.Join(dir, "conf")
	text := strings.NewReplacer("DIR", dir, "PORT", itoa(port), "CERTIFICATE", cert.Both, "BLOCK",
		block).Replace(around[name])
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := map[string][]string{"nginx": {"-e", "stderr", "-c", file, "-p", dir}, "haproxy": {"-db", "-f", file}}[name]
	rig.Serve(t, port, rig.Program(t, name, args...))
	return port, cert.Roots
}
