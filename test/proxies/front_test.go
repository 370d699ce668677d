package proxies

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// appHost is the app of the documents' blocks.
const appHost = "app1.example.com"

const password = "lanterns over the quiet bay"

// front is another proxy before the app, with the gateway that it asks.
type front struct {
	t       testing.TB
	gateway *rig.Caddy
	app     *rig.EchoServer
	port    int // of the proxy
	roots   *x509.CertPool
	signed  *visitor // see pia
}

// behind starts the app and the gateway of the documents: `pia` is staff, `zoe` is not.
func behind(t testing.TB, proxy string) *front {
	t.Helper()
	f := &front{t: t, app: rig.Echo(t)}
	// a quicker password hash is all that is added
	quick := "{\n\ttruxe {\n\t\tpassword {\n\t\t\thash bcrypt 10\n\t\t}\n\t}\n\tservers {"
	f.gateway = rig.Gateway(t, rig.Options{
		Caddyfile: replace(t, block(t, "gateway"), "{\n\tservers {", quick, "10.0.0.5", "127.0.0.1", "from nginx",
			"from "+proxy),
		Env: []string{"TRUXE_ADMIN_USERNAME=root", "TRUXE_ADMIN_EMAIL=root@example.com",
			"TRUXE_ADMIN_PASSWORD=seven quiet otters knit"},
	})
	for _, user := range [][]string{{"pia", "--role", "staff"}, {"zoe", "--role", "guest"}} {
		args := append([]string{"users", "add"}, user...)
		args = append(args, "--email", user[0]+"@example.com", "--name", user[0], "--password-stdin")
		if out, errs, code := f.gateway.CLIWithInput(password, args...); code != 0 {
			t.Fatalf("users add: exit %d: %s%s", code, out, errs)
		}
	}
	return f
}

func (f *front) gatewayAddr() string { return fmt.Sprintf("127.0.0.1:%d", f.gateway.Port("https")) }

const systemRoots = "/etc/ssl/certs/ca-certificates.crt"

func nginx(t testing.TB) *front {
	f := behind(t, "nginx")
	cert := rig.Certificate(t, appHost)
	f.port, f.roots = rig.Port(t), cert.Roots
	server := replace(t, block(t, "nginx"), "10.0.0.9:443", f.gatewayAddr(), "listen 443",
		fmt.Sprintf("listen 127.0.0.1:%d", f.port),
		"/etc/nginx/app1.crt", cert.Cert, "/etc/nginx/app1.key", cert.Key, systemRoots, f.gateway.RootFile(),
		"127.0.0.1:3000", f.app.Addr())
	dir := t.TempDir()
	var temp strings.Builder
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path %s/%s;\n", name, dir, name)
	}
	// what /etc/nginx/nginx.conf has around the files of conf.d
	file := f.write(dir, "nginx.conf", "daemon off;\nmaster_process off;\npid "+dir+
		"/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n"+temp.String()+server+"}\n")
	rig.Serve(t, f.port, rig.Program(t, "nginx", "-p", dir, "-e", "stderr", "-c", file))
	return f
}

func haproxy(t testing.TB) *front {
	f := behind(t, "haproxy")
	cert := rig.Certificate(t, appHost)
	f.port, f.roots = rig.Port(t), cert.Roots
	dir := t.TempDir()
	script := f.write(dir, "truxe.lua", replace(t, block(t, "haproxy.lua"), "10.0.0.9:443", f.gatewayAddr()))
	file := f.write(dir, "haproxy.cfg", replace(t, block(t, "haproxy"), "10.0.0.9:443", f.gatewayAddr(), "bind :443",
		fmt.Sprintf("bind 127.0.0.1:%d", f.port),
		"/etc/haproxy/certs", cert.Both, "/etc/haproxy/truxe.lua", script, systemRoots, f.gateway.RootFile(),
		"127.0.0.1:3000", f.app.Addr()))
	rig.Serve(t, f.port, rig.Program(t, "haproxy", "-db", "-f", file))
	return f
}

func caddy(t testing.TB) *front {
	f := behind(t, "caddy")
	site := replace(t, block(t, "caddy"), "https://10.0.0.9", "https://"+f.gatewayAddr(), "127.0.0.1:3000", f.app.Addr())
	other := rig.Gateway(t, rig.Options{Caddyfile: appHost + " {\n" + site + "}\n",
		Env: []string{"SSL_CERT_FILE=" + f.gateway.RootFile()}})
	f.port, f.roots = other.Port("https"), other.Roots()
	return f
}

func (f *front) write(dir, name, text string) string {
	f.t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return file
}
