package proxies

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The stories are told through each proxy in this order; the last ones end a session and the gateway.
var stories = []struct {
	name string
	tell func(t *testing.T, f *front)
}{
	{"deep link comes back after sign-in", deepLink},
	{"programs get the problem", programs},
	{"a form ends on a page that keeps it", formEnds},
	{"WebSockets by origin", sockets},
	{"forged identity", forgedIdentity},
	{"forged description of the request", forgedDescription},
	{"cookie and token stay with the gateway", credentials},
	{"unknown host", unknownHost},
	{"public path", publicPath},
	{"endpoints are the proxy's", endpoints},
	{"another role", anotherRole},
	{"revoked session", revoked},
	{"gateway is down", gatewayDown},
}

func tellThrough(t *testing.T, f *front) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			f.app.Forget()
			s.tell(t, f)
		})
	}
}

// ED-02 ED-05 ED-13 ED-22, field cases 1 to 4.
func TestNginx(t *testing.T) { tellThrough(t, nginx(t)) }

// ED-02 ED-05 ED-13 ED-22: HAProxy with the script of the document.
func TestHAProxy(t *testing.T) { tellThrough(t, haproxy(t)) }

// ED-02 ED-05 ED-13 ED-22, field case 7: a second Caddy with its stock forward_auth.
func TestCaddy(t *testing.T) { tellThrough(t, caddy(t)) }

func deepLink(t *testing.T, f *front) {
	seen := f.visitor(t).signIn("pia", "/deep/a%20b?x=1&y=%2F").app()
	if seen.Target != "/deep/a%20b?x=1&y=%2F" || strings.Join(seen.Get("Remote-User"), ",") != "pia" {
		t.Errorf("%s as %q", seen.Target, seen.Get("Remote-User"))
	}
}

func programs(t *testing.T, f *front) {
	v := f.visitor(t)
	for _, headers := range [][]string{fetch, curl} {
		a := v.get("/api?x=1", headers)
		a.problem(http.StatusUnauthorized, "login_required")
		if a.header.Get("Location") != "" || len(a.header["Www-Authenticate"]) == 0 {
			t.Errorf("%v", a.header)
		}
		challenges := map[string]bool{}
		for _, challenge := range a.header["Www-Authenticate"] {
			if challenges[challenge] {
				t.Errorf("a challenge twice: %q", a.header["Www-Authenticate"])
			}
			challenges[challenge] = true
		}
		v.send(http.MethodPost, "/api", `{"a":1}`, headers).problem(http.StatusUnauthorized, "login_required")
	}
	if seen := f.app.Seen(); len(seen) > 0 {
		t.Errorf("the app was reached: %s", seen[0].Raw)
	}
}

func formEnds(t *testing.T, f *front) {
	a := f.visitor(t).send(http.MethodPost, "/orders", "text="+strings.Repeat("x", 300_000),
		submission).want(http.StatusUnauthorized)
	if !strings.Contains(a.body, "Your session ended") || !strings.Contains(a.header.Get("Content-Type"), "text/html") ||
		!strings.Contains(a.body, "</html>") {
		t.Errorf("%v: %.300s", a.header, a.body)
	}
}

func sockets(t *testing.T, f *front) {
	v := f.pia(t)
	if status := v.socket("/ws", "https://"+appHost); status != http.StatusSwitchingProtocols {
		t.Errorf("own page: %d", status)
	}
	if seen := f.app.Last(); strings.Join(seen.Get("Remote-User"), ",") != "pia" || len(seen.Get("Cookie")) > 0 {
		t.Errorf("the app saw %s", seen.Raw)
	}
	f.app.Forget()
	for _, origin := range []string{"https://evil.example", "http://" + appHost, "https://" + appHost + ":9999", "null"} {
		if status := v.socket("/ws", origin); status != http.StatusForbidden {
			t.Errorf("page of %s: %d, want 403", origin, status)
		}
	}
	if status := f.visitor(t).socket("/ws", "https://"+appHost); status != http.StatusUnauthorized {
		t.Errorf("anonymous: %d, want 401", status)
	}
	if seen := f.app.Seen(); len(seen) > 0 {
		t.Errorf("the app was reached: %s", seen[0].Raw)
	}
}

var identity = []string{"Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "X-Truxe-User-Id",
	"X-Truxe-Session", "X-Truxe-Amr", "X-Truxe-Jwt-Assertion"}

// forged is a claim of every identity header, also as CGI would read it.
func forged() []string {
	var list []string
	for _, name := range identity {
		list = append(list, name, "forged", strings.ReplaceAll(name, "-", "_"), "forged", strings.ToUpper(name), "forged")
	}
	return list
}

func forgedIdentity(t *testing.T, f *front) {
	v := f.pia(t)
	for name, seen := range map[string]interface{ Get(string) []string }{
		"pia":       v.get("/x", forged(), curl).app(),
		"anonymous": f.visitor(t).get("/healthz", forged(), curl).app(),
		"nominated": v.get("/x", curl, []string{"Connection", "close, Remote-User, X-Truxe-User-Id, Remote-Groups"}).app(),
	} {
		want := "pia"
		if name == "anonymous" {
			want = ""
		}
		if got := strings.Join(seen.Get("Remote-User"), ","); got != want {
			t.Errorf("%s: the app saw %q", name, got)
		}
	}
	for _, seen := range f.app.Seen() {
		if strings.Contains(seen.Raw, "forged") {
			t.Errorf("forged headers at the app: %s", seen.Raw)
		}
	}
}

func forgedDescription(t *testing.T, f *front) {
	v := f.visitor(t)
	for name, list := range map[string][]string{
		"nginx's": {"X-Original-URL", "https://" + appHost + "/healthz", "X-Original-Method", "GET"},
		"forwarded": {"X-Forwarded-Uri", "/healthz", "X-Forwarded-Method", "GET", "X-Forwarded-Host", appHost,
			"X-Forwarded-Proto", "https"},
		"twice": {"X-Forwarded-Uri", "/healthz", "X-Forwarded-Uri", "/healthz", "X-Original-Url",
			"https://" + appHost + "/healthz", "X-Original-Url", "https://" + appHost + "/healthz"},
		"CGI's": {"X_Original_URL", "https://" + appHost + "/healthz", "X_Forwarded_Uri", "/healthz", "X.Original.URL",
			"https://" + appHost + "/healthz"},
		"lower case": {"x-original-url", "https://" + appHost + "/healthz", "x-forwarded-uri", "/healthz",
			"x-original-method", "GET"},
		"nominated": {"Connection",
			"X-Original-URL, X-Original-Method, X-Forwarded-Uri, X-Forwarded-Method, X-Forwarded-Host, X-Forwarded-Proto"},
		"other host": {"X-Forwarded-Host", "app2.example.com", "X-Forwarded-Server", "app2.example.com", "Forwarded",
			"host=app2.example.com"},
	} {
		if a := v.get("/admin/secret", list, curl); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, a.status)
		}
	}
	for _, path := range []string{"/healthz/../admin", "/healthz%2f..%2fadmin", "/healthz;/admin", "//healthz",
		"/healthz%00"} {
		if a := f.raw(t, "GET "+path+" HTTP/1.1\r\nHost: "+appHost+"\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(a,
			"HTTP/1.1 4") {
			t.Errorf("%s: %.60q", path, a)
		}
	}
	if seen := f.app.Seen(); len(seen) > 0 {
		t.Errorf("the app was reached: %s", seen[0].Raw)
	}
	// nor does the app believe a visitor about the proxy
	seen := v.get("/healthz", curl, []string{"X-Forwarded-For", "192.0.2.66", "X-Forwarded-Host", "evil.example",
		"X-Forwarded-Proto", "gopher", "X-Original-URL", "/evil", "X-Forwarded-Uri", "/evil"}).app()
	for _, text := range []string{"192.0.2.66", "evil", "gopher"} {
		if strings.Contains(seen.Raw, text) {
			t.Errorf("%q at the app: %s", text, seen.Raw)
		}
	}
	if strings.Join(seen.Get("X-Forwarded-Proto"), ",") != "https" ||
		strings.Join(seen.Get("X-Forwarded-For"), ",") != "127.0.0.1" {
		t.Errorf("the app saw %s", seen.Raw)
	}
}

func credentials(t *testing.T, f *front) {
	v := f.visitor(t)
	v.signIn("pia", "/").want(http.StatusOK)
	v.http.Jar.SetCookies(v.url(), []*http.Cookie{{Name: "theme", Value: "dark"}, {Name: "lang", Value: "en"}})
	seen := v.get("/x", curl, []string{"Authorization", "Basic YXBwOmFwcA=="}).app()
	if got := strings.Join(seen.Get("Cookie"), "; "); !strings.Contains(got, "theme=dark") ||
		!strings.Contains(got, "lang=en") || strings.Contains(got, "truxe") {
		t.Errorf("cookies of the app: %q", got)
	}
	if got := strings.Join(seen.Get("Authorization"), ","); got != "Basic YXBwOmFwcA==" {
		t.Errorf("the app's own Authorization: %q", got)
	}
	login := f.visitor(t).send(http.MethodPost, "/.truxe/api/v1/login", `{"username":"pia","password":"`+password+`"}`,
		[]string{"Content-Type", "application/json"}).want(http.StatusOK)
	_, token, _ := strings.Cut(login.body, `"access_token":"`)
	token, _, _ = strings.Cut(token, `"`)
	seen = f.visitor(t).get("/x", curl, []string{"Authorization", "Bearer " + token}).app()
	if strings.Join(seen.Get("Remote-User"), ",") != "pia" || token == "" || strings.Contains(seen.Raw, token) ||
		len(seen.Get("Authorization")) > 0 {
		t.Errorf("the token at the app: %s", seen.Raw)
	}
	// on a public path too, and with nothing that is the app's
	if seen = f.pia(t).get("/healthz", curl).app(); strings.Contains(seen.Raw, "__Host-truxe") ||
		strings.Join(seen.Get("Remote-User"), ",") != "pia" {
		t.Errorf("public path: %s", seen.Raw)
	}
}

func unknownHost(t *testing.T, f *front) {
	for _, host := range []string{"evil.example", "verify.example.com", "caddy", "app1.example.com.evil.example",
		"app2.example.com"} {
		for _, path := range []string{"/secret", "/.truxe/login", "/.truxe/forward-auth"} {
			a := f.raw(t, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			_, body, _ := strings.Cut(a, "\r\n\r\n")
			// a Caddy answers hosts that it does not serve with an empty 200 of its own: nothing is let in
			if strings.HasPrefix(a, "HTTP/1.1 2") && body != "" && path == "/secret" {
				t.Errorf("%s at %s: %.200q", path, host, a)
			}
		}
	}
	// the request line names one app, Host another one that everyone may open
	for _, request := range []string{
		"GET https://" + appHost + "/secret HTTP/1.1\r\nHost: app2.example.com\r\nConnection: close\r\n\r\n",
		"GET https://app2.example.com/healthz HTTP/1.1\r\nHost: " + appHost +
			"\r\nX-Original-URL: https://app2.example.com/healthz\r\nConnection: close\r\n\r\n",
		"GET /secret HTTP/1.1\r\nHost: " + appHost + "\r\nHost: app2.example.com\r\nConnection: close\r\n\r\n",
	} {
		f.raw(t, request)
	}
	for _, seen := range f.app.Seen() {
		if seen.Target != "/healthz" {
			t.Errorf("the app was reached: %s", seen.Raw)
		}
	}
}

func publicPath(t *testing.T, f *front) {
	if seen := f.visitor(t).get("/healthz?x=1", curl).app(); seen.Target != "/healthz?x=1" {
		t.Errorf("%s", seen.Raw)
	}
	f.visitor(t).get("/healthz2", curl).want(http.StatusUnauthorized)
}

func endpoints(t *testing.T, f *front) {
	v := f.visitor(t)
	for _, path := range []string{"/.truxe/forward-auth", "/.truxe/forward-auth/answer", "/.truxe/ext-authz/healthz"} {
		a := v.get(path, curl, []string{"X-Original-URL", "https://" + appHost + "/healthz", "X-Original-Method", "GET"})
		if a.status != http.StatusNotFound && a.status != http.StatusUnauthorized { // 401: judged as a path of the app
			t.Errorf("%s: %d", path, a.status)
		}
	}
	v.get("/.truxe/login", navigation).want(http.StatusOK) // control
}

func anotherRole(t *testing.T, f *front) {
	v := f.visitor(t)
	if a := v.signIn("zoe", "/x").want(http.StatusForbidden); !strings.Contains(a.body, "</html>") {
		t.Errorf("%v: %.300s", a.header, a.body)
	}
	v.get("/x", fetch).problem(http.StatusForbidden, "role_required")
	if seen := f.app.Seen(); len(seen) > 0 {
		t.Errorf("the app was reached: %s", seen[0].Raw)
	}
}

func revoked(t *testing.T, f *front) {
	v := f.visitor(t)
	session := strings.Join(v.signIn("pia", "/").app().Get("X-Truxe-Session"), "")
	v.get("/x", fetch).want(http.StatusOK)
	if out, errs, code := f.gateway.CLI("sessions", "revoke", session); code != 0 {
		t.Fatalf("sessions revoke %q: exit %d: %s%s", session, code, out, errs)
	}
	v.get("/x", fetch).problem(http.StatusUnauthorized, "login_required")
}

func gatewayDown(t *testing.T, f *front) {
	v := f.pia(t)
	f.gateway.Stop()
	for _, path := range []string{"/healthz", "/.truxe/login"} {
		if a := v.get(path, curl); a.status < 500 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if seen := f.app.Seen(); len(seen) > 0 {
		t.Errorf("the app was reached: %s", seen[0].Raw)
	}
}

// raw sends bytes to the proxy and returns what comes back until it closes the connection.
func (f *front) raw(t *testing.T, request string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", f.port),
		&tls.Config{ServerName: appHost, RootCAs: f.roots, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(conn) // a proxy that refuses the request may cut the connection
	return string(text)
}
