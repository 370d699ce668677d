package test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// fronts are the proxies whose blocks of docs/how-to/behind-a-proxy.md are started here.
var fronts = []string{"nginx", "haproxy"}

// around is the rest of a configuration: the documented block goes in place of BLOCK.
var around = map[string]string{
	"nginx": `daemon off; pid DIR/pid; error_log DIR/error.log;
events {}
http {
	access_log off; client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
	map $http_upgrade $connection_upgrade { default upgrade; "" close; }
	server { listen 127.0.0.1:PORT ssl; ssl_certificate DIR/both.pem; ssl_certificate_key DIR/both.pem;
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
    bind 127.0.0.1:PORT ssl crt DIR/both.pem
    default_backend gateway
BLOCK
`,
}

// ED-21 (FIELD-CASES 9, 16): nginx and HAProxy, started from the documented blocks, end TLS in front of a plain-http site.
// Sign-in, deep link, issuer and WebSocket work, and a request past the proxy is refused.
func TestDocumentedProxiesInFront(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(rig.Root(), "docs", "how-to", "behind-a-proxy.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := tell(t, plot{global: behind, sites: site(`http://app.example.com:{{port "inner"}}`, "\ttruxe\n\treverse_proxy UPSTREAM")})
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
			if leads := v.get(a.header.Get("Location"), navigate).want(http.StatusOK).header.Get("Refresh"); !strings.HasSuffix(leads, "url=/deep?x=1") {
				t.Errorf("leads to %q", leads)
			}
			v.get("/deep?x=1", navigate).want(http.StatusOK)
			var out tokens
			v.api("POST", "login", map[string]string{"username": "pia", "password": piaPassword}).want(http.StatusOK).json(&out)
			if iss := claimsOf(t, out.Access)["iss"]; iss != "https://app.example.com" {
				t.Errorf("iss %v", iss)
			}
			ws, status, err := v.socket("/ws", []string{"Origin", "https://app.example.com", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "websocket"})
			if err != nil {
				t.Errorf("WebSocket: %d %v", status, err)
			} else {
				_ = ws.Close(websocket.StatusNormalClosure, "")
			}
			past := &visitor{s: v.s, c: s.g.Client(), host: "app.example.com"}
			past.get("http://"+inner+"/", []string{"Host", "app.example.com"}, program).problem(http.StatusForbidden, "https_required")
		})
	}
}

// startFront starts a proxy with a certificate of its own, and ends it with the test.
func startFront(t *testing.T, name, block string) (int, *x509.CertPool) {
	t.Helper()
	dir, port := t.TempDir(), rig.Port(t)
	roots := frontCertificate(t, filepath.Join(dir, "both.pem"))
	file := filepath.Join(dir, "conf")
	text := strings.NewReplacer("DIR", dir, "PORT", itoa(port), "BLOCK", block).Replace(around[name])
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := map[string][]string{"nginx": {"-c", file, "-p", dir}, "haproxy": {"-db", "-f", file}}[name]
	bin, err := exec.LookPath(name)
	if err != nil {
		bin = "/usr/sbin/" + name // Debian's folder for servers is not in every user's PATH
	}
	cmd := exec.Command(bin, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s (scripts/install-test-deps installs it): %v", name, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // nginx ends its workers
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	rig.WaitFor(t, 20*time.Second, name+" accepts connections", func() bool {
		select {
		case <-ended:
			t.Fatalf("%s ended: %s", name, said.String())
		default:
		}
		conn, err := net.Dial("tcp", "127.0.0.1:"+itoa(port))
		return err == nil && conn.Close() == nil
	})
	return port, roots
}

// frontCertificate writes a certificate that is its own authority, with its key, and returns the pool that trusts it.
func frontCertificate(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"app.example.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, append(cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})...), 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}
