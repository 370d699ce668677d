package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/valyala/fasthttp"
)

// upstream is the app, and the trivial server that forward_auth asks.
type upstream struct {
	*fasthttp.Server
	app, auth string
	asked     *http.Server
}

// identity is what forward_auth copies from the trivial server's answer to the app: four headers, as the manuals of the
// servers it is used with say. The gateway sends seven.
var identity = []string{"Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups"}

// startUpstream starts an app that costs next to nothing, so that the proxies are what is measured, and the server that
// forward_auth asks: net/http, on which the servers that are used there in practice are built, with nothing behind it.
func startUpstream() (*upstream, error) {
	app, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	auth, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_ = app.Close()
		return nil, err
	}
	u := &upstream{app: app.Addr().String(), auth: auth.Addr().String(), Server: &fasthttp.Server{CloseOnShutdown: true,
		Handler: func(ctx *fasthttp.RequestCtx) { _, _ = ctx.WriteString("ok") }}}
	u.asked = &http.Server{ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range identity {
				w.Header().Set(name, "alice")
			}
		})}
	go func() { _ = u.Serve(app) }()
	go func() { _ = u.asked.Serve(auth) }()
	return u, nil
}

// close ends both.
func (u *upstream) close() { _ = errors.Join(u.Shutdown(), u.asked.Close()) }

// server is one Caddy under measurement.
type server struct {
	cmd         *exec.Cmd
	addr, admin string
}

const logging = "log {\n\t\texclude http.log.access\n\t}"

func startCaddy(binary, dir, name, global, site string, env ...string) (*server, error) {
	s := &server{}
	var err error
	if s.addr, err = freeAddr(); err != nil {
		return nil, err
	}
	if s.admin, err = freeAddr(); err != nil {
		return nil, err
	}
	home := filepath.Join(dir, name)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(s.addr)
	file := filepath.Join(home, "Caddyfile")
	text := fmt.Sprintf("{\n\tadmin %s\n\t%s\n%s\n}\nhttp://localhost:%s {\n\tbind 127.0.0.1\n%s\n}\n", s.admin, logging,
		global, port, site)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	out, err := os.Create(filepath.Join(home, "log"))
	if err != nil {
		return nil, err
	}
	s.cmd = exec.Command(binary, "run", "--config", file, "--adapter", "caddyfile")
	s.cmd.Env = append(os.Environ(), append(env, "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.addr = "localhost:" + port
	for range 300 {
		resp, err := http.Get("http://" + s.addr + "/")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable {
				return s, nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	raw, _ := os.ReadFile(out.Name())
	s.stop()
	return nil, fmt.Errorf("%s did not start: %s", name, raw)
}

func (s *server) stop() {
	if s != nil && s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// start runs the three servers and signs in.
func start(binary, dir string, up *upstream) (list []*scenario, stop func(), err error) {
	var servers []*server
	stop = func() {
		for _, s := range servers {
			s.stop()
		}
	}
	proxy := "\treverse_proxy " + up.app
	plain, err := startCaddy(binary, dir, "plain", "", proxy)
	if err != nil {
		return nil, stop, err
	}
	servers = append(servers, plain)
	forward, err := startCaddy(binary, dir, "forward", "",
		"\tforward_auth "+up.auth+" {\n\t\turi /auth\n\t\tcopy_headers "+strings.Join(identity, " ")+"\n\t}\n"+proxy)
	if err != nil {
		return nil, stop, err
	}
	servers = append(servers, forward)

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, stop, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, stop, err
	}
	encoded := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	gateway, err := startCaddy(binary, dir, "truxe",
		"\ttruxe {\n\t\trate_limit address 1000000 1m\n\t\tjwt {\n\t\t\tprivate_key {env.JWT_PRIVATE_KEY_BASE64}\n\t\t}\n\t}",
		"\ttruxe\n"+proxy,
		"JWT_PRIVATE_KEY_BASE64="+encoded, "TRUXE_ADMIN_USERNAME=alice", "TRUXE_ADMIN_EMAIL=alice@example.com",
		"TRUXE_ADMIN_PASSWORD="+password)
	if err != nil {
		return nil, stop, err
	}
	servers = append(servers, gateway)
	cookie, bearer, err := signIn("http://" + gateway.addr)
	if err != nil {
		return nil, stop, err
	}
	anonymous := http.Header{}
	fixed := func(h http.Header) func() http.Header { return func() http.Header { return h } }
	cold := &ring{}
	list = []*scenario{
		{name: "plain", url: "http://" + plain.addr + "/", server: plain, headers: fixed(anonymous)},
		{name: "cookie", url: "http://" + gateway.addr + "/", server: gateway,
			headers: fixed(http.Header{"Cookie": {cookie}})},
		{name: "bearer", url: "http://" + gateway.addr + "/", server: gateway,
			headers: fixed(http.Header{"Authorization": {"Bearer " + bearer}})},
		{name: "bearer, cold", url: "http://" + gateway.addr + "/", server: gateway, headers: cold.take,
			ready: func(n int) error {
				cold.next.Store(0)
				cold.values = cold.values[:0]
				for range n {
					token, err := copyOf(bearer, key)
					if err != nil {
						return err
					}
					cold.values = append(cold.values, http.Header{"Authorization": {"Bearer " + token}})
				}
				return nil
			}},
		{name: "forward_auth", url: "http://" + forward.addr + "/", server: forward, headers: fixed(anonymous)},
	}
	return list, stop, nil
}

const password = "nineteen pelicans knit scarves"

// signIn gets a session cookie from the login page and an access token from the API.
func signIn(base string) (cookie, bearer string, err error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	page, err := client.Get(base + "/.truxe/login")
	if err != nil {
		return "", "", err
	}
	page.Body.Close()
	form := "username=alice&password=" + strings.ReplaceAll(password, " ", "+")
	req, err := http.NewRequest(http.MethodPost, base+"/.truxe/login", strings.NewReader(form))
	if err != nil {
		return "", "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", base)
	for _, c := range page.Cookies() {
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", "", err
	}
	resp.Body.Close()
	for _, c := range resp.Cookies() {
		if c.Name == "__Host-truxe" {
			cookie = c.Name + "=" + c.Value
		}
	}
	if cookie == "" {
		return "", "", errors.New("no session cookie after the sign-in: " + resp.Status)
	}
	body, _ := json.Marshal(map[string]string{"username": "alice", "password": password})
	resp, err = client.Post(base+"/.truxe/api/v1/login", "application/json", bytes.NewReader(body))
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		return "", "", fmt.Errorf("no access token: %s %w", resp.Status, err)
	}
	return cookie, answer.AccessToken, nil
}

// copyOf signs the claims of a token again under a fresh jti, so that the gateway has not seen it.
func copyOf(raw string, key *rsa.PrivateKey) (string, error) {
	var claims jwt.MapClaims
	old, _, err := jwt.NewParser().ParseUnverified(raw, &claims)
	if err != nil {
		return "", err
	}
	fresh := maps.Clone(claims)
	fresh["jti"] = strings.ToLower(rand.Text())
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, fresh)
	t.Header["kid"], t.Header["typ"] = old.Header["kid"], old.Header["typ"]
	return t.SignedString(key)
}
