package proxies

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// visitor is a browser before another proxy, with a cookie jar.
type visitor struct {
	t    testing.TB
	f    *front
	http *http.Client
}

func (f *front) visitor(t testing.TB) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: f.roots, NextProtos: []string{"http/1.1"}},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", f.port))
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t: t, f: f, http: &http.Client{Transport: transport, Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// What browsers and programs send, as name, value, ….
var (
	navigation = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none", "Accept",
		"text/html"}
	submission = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin",
		"Accept", "text/html",
		"Content-Type", "application/x-www-form-urlencoded", "Origin", "https://" + appHost}
	fetch = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin", "Accept",
		"application/json"}
	curl = []string{"Accept", "*/*", "User-Agent", "curl/8.5.0"}
)

type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// send sends a request; Host among the headers replaces the host.
func (v *visitor) send(method, target, body string, headers ...[]string) answer {
	v.t.Helper()
	if !strings.HasPrefix(target, "https://") {
		target = "https://" + appHost + target
	}
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	for _, list := range headers {
		for i := 0; i < len(list); i += 2 {
			if list[i] == "Host" {
				r.Host = list[i+1]
			} else {
				r.Header[list[i]] = append(r.Header[list[i]], list[i+1]) // as it is spelled
			}
		}
	}
	res, err := v.http.Do(r)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, target, err)
	}
	return answer{v.t, res.StatusCode, res.Header, string(raw)}
}

func (v *visitor) get(target string, headers ...[]string) answer {
	v.t.Helper()
	return v.send(http.MethodGet, target, "", headers...)
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %v\n%.600s", a.status, status, a.header, a.body)
	}
	return a
}

// problem checks an error for programs.
func (a answer) problem(status int, code string) {
	a.t.Helper()
	a.want(status)
	var p struct {
		Code, Title string
		Status      int
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Code != code || p.Status != status ||
		a.header.Get("Content-Type") != "application/problem+json" {
		a.t.Errorf("%s: %.300s, want a problem %s (%v)", a.header.Get("Content-Type"), a.body, code, err)
	}
}

// app reads what the app received, from its echo.
func (a answer) app() rig.Seen {
	a.t.Helper()
	a.want(http.StatusOK)
	var seen rig.Seen
	if err := json.Unmarshal([]byte(a.body), &seen); err != nil || seen.Target == "" {
		a.t.Fatalf("not the app's answer: %v: %.300s", err, a.body)
	}
	return seen
}

// pia is a browser that is signed in, the same in every story.
func (f *front) pia(t testing.TB) *visitor {
	t.Helper()
	if f.signed == nil {
		f.signed = f.visitor(f.t)
		f.signed.signIn("pia", "/").want(http.StatusOK)
		f.app.Forget()
	}
	return &visitor{t: t, f: f, http: f.signed.http}
}

var wayBack = regexp.MustCompile(`name="return"[^>]*value="([^"]*)"`)

// signIn goes from a page of the app through the login form until there is an answer that leads no further.
func (v *visitor) signIn(user, wanted string) answer {
	v.t.Helper()
	a := v.get(wanted, navigation).want(http.StatusFound)
	login := a.header.Get("Location")
	if !strings.HasPrefix(login, "https://"+appHost+"/.truxe/login") {
		v.t.Fatalf("sent to %q to sign in", login)
	}
	page := v.get(login, navigation).want(http.StatusOK)
	form := url.Values{"username": {user}, "password": {password}}
	if m := wayBack.FindStringSubmatch(page.body); m != nil {
		form.Set("return", m[1])
	}
	a = v.send(http.MethodPost, "/.truxe/login", form.Encode(), submission)
	for range 6 {
		to := a.header.Get("Location")
		if refresh := a.header.Get("Refresh"); refresh != "" { // after a form the page itself leads on
			_, to, _ = strings.Cut(refresh, "url=")
		}
		if to == "" {
			return a
		}
		a = v.get(to, navigation)
	}
	v.t.Fatalf("redirected in circles, at last to %s", a.header.Get("Location"))
	return a
}

// socket opens a WebSocket to the app and returns the status of the handshake.
func (v *visitor) socket(path, origin string) int {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client := *v.http
	client.Timeout = 0
	ws, res, err := websocket.Dial(ctx, "wss://"+appHost+path,
		&websocket.DialOptions{HTTPClient: &client, HTTPHeader: http.Header{"Origin": {origin}}})
	if err != nil {
		if res == nil {
			v.t.Fatalf("no answer to the handshake: %v", err)
		}
		return res.StatusCode
	}
	defer func() { _ = ws.CloseNow() }()
	if err := ws.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		v.t.Fatal(err)
	}
	if _, message, err := ws.Read(ctx); err != nil || string(message) != "hello" {
		v.t.Fatalf("echo %q, %v", message, err)
	}
	return res.StatusCode
}

func (v *visitor) url() *url.URL { return &url.URL{Scheme: "https", Host: appHost, Path: "/"} }
