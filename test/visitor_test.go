package test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// visitor is one browser, or with bare one program without cookies.
type visitor struct {
	s      *story
	c      *http.Client
	host   string
	bearer string
	cookie string // sent as it stands, for visitors without a jar
	outage bool   // a 503 is what the test is about: the visitor does not come again
}

// browser is a visitor with a cookie jar at a host.
func (s *story) browser(host string) *visitor { return &visitor{s: s, c: s.g.Client(), host: host} }

// bare is a visitor without a cookie jar.
func (s *story) bare(host string) *visitor {
	v := s.browser(host)
	v.c.Jar = nil
	return v
}

// answer is a response, read whole.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// Kinds of requests, as browsers and programs send them.
var (
	navigate = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none", "Accept",
		"text/html"}
	submit = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin",
		"Accept", "text/html", "Content-Type", "application/x-www-form-urlencoded"}
	fetch = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin", "Accept",
		"*/*"}
	program   = []string{"Accept", "*/*"}
	sendsJSON = []string{"Content-Type", "application/json"}
	sendsForm = []string{"Content-Type", "application/x-www-form-urlencoded"}
)

// do sends a request to path, or to a whole URL. Headers are name, value, …; a name may appear twice. A 503 with
// Retry-After is no wrong answer but "not now" (CONTRACT section 3): the visitor comes again, a few times.
func (v *visitor) do(method, path, body string, headers ...[]string) answer {
	v.s.t.Helper()
	a, err := v.comeAgain(method, path, body, headers...)
	if err != nil {
		v.s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// comeAgain is do for other goroutines.
func (v *visitor) comeAgain(method, path, body string, headers ...[]string) (answer, error) {
	v.s.t.Helper()
	for again := 5; ; again-- {
		a, err := v.try(method, path, body, headers...)
		if err != nil || v.outage || again == 0 || !a.notNow() {
			return a, err
		}
		v.s.t.Logf("busy machine: %s %s: 503, coming again: %.200s", method, path, a.body)
	}
}

// notNow reports a 503 that says when to come again, and waits until then. A sign-in that is refused because others
// sign in (`busy`) is not one.
func (a answer) notNow() bool {
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	if a.status != http.StatusServiceUnavailable || err != nil || strings.Contains(a.body, `"busy"`) {
		return false
	}
	time.Sleep(time.Duration(min(seconds, 5)) * time.Second)
	return true
}

// try sends one request, which may fail.
func (v *visitor) try(method, path, body string, headers ...[]string) (answer, error) {
	if !strings.HasPrefix(path, "https://") && !strings.HasPrefix(path, "http://") {
		path = "https://" + v.host + path
	}
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, path, reader)
	if err != nil {
		return answer{}, err
	}
	for _, list := range headers {
		for i := 0; i+1 < len(list); i += 2 {
			if list[i] == "Host" {
				req.Host = list[i+1]
			} else {
				req.Header[http.CanonicalHeaderKey(list[i])] = append(req.Header[http.CanonicalHeaderKey(list[i])], list[i+1])
			}
		}
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "story")
	}
	if v.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+v.bearer)
	}
	if v.cookie != "" {
		req.Header.Add("Cookie", v.cookie)
	}
	res, err := v.c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	return answer{v.s.t, res.StatusCode, res.Header, string(raw)}, err
}

func (v *visitor) get(path string, headers ...[]string) answer {
	v.s.t.Helper()
	return v.do(http.MethodGet, path, "", headers...)
}

// api sends JSON to a call of the API and gives the answer.
func (v *visitor) api(method, call string, body any, headers ...[]string) answer {
	v.s.t.Helper()
	text := ""
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			v.s.t.Fatal(err)
		}
		text = string(raw)
		headers = append(headers, sendsJSON)
	}
	return v.do(method, "/.truxe/api/v1/"+call, text, headers...)
}

// form posts a form to one of the gateway's pages, as its own page would.
func (v *visitor) form(page string, fields ...string) answer {
	v.s.t.Helper()
	return v.do(http.MethodPost, "/.truxe/"+page, values(fields...), submit, []string{"Origin", "https://" + v.host})
}

// values encodes a form of name, value, ….
func values(fields ...string) string {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return form.Encode()
}

var wayBackField = regexp.MustCompile(`name="return"[^>]*value="([^"]*)"`)

// signIn goes the way of a person: to the login page (by way of path when it is given), through the form, and on. The
// answer is the page after the form.
func (v *visitor) signIn(username, password string, more ...string) answer {
	v.s.t.Helper()
	a := v.tryForm("/.truxe/login", username, password, more...)
	a.want(http.StatusSeeOther)
	return v.get(a.header.Get("Location"), navigate)
}

// tryForm opens a login page and sends its form.
func (v *visitor) tryForm(login, username, password string, more ...string) answer {
	v.s.t.Helper()
	page := v.get(login, navigate)
	if page.status != http.StatusOK {
		v.s.t.Fatalf("GET %s: %d %s", login, page.status, page.body)
	}
	fields := append([]string{"username", username, "password", password}, more...)
	if m := wayBackField.FindStringSubmatch(page.body); m != nil && m[1] != "" {
		fields = append(fields, "return", m[1])
	}
	return v.form("login", fields...)
}

// session returns the value of the session cookie in the jar, "" without one.
func (v *visitor) session() string { return v.inJar("__Host-truxe") }

func (v *visitor) inJar(name string) string {
	for _, c := range v.c.Jar.Cookies(&url.URL{Scheme: "https", Host: v.host, Path: "/"}) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// tokens is what an API client gets.
type tokens struct {
	Status    string `json:"status"`
	Access    string `json:"access_token"`
	Type      string `json:"token_type"`
	ExpiresIn int    `json:"expires_in"`
	Refresh   string `json:"refresh_token"`
	SessionID string `json:"session_id"`
	User      struct {
		ID, Username, Email, Name string
		Roles                     []string
	} `json:"user"`
}

// login signs in at the API of a host.
func (s *story) login(host, username, password string) tokens {
	s.t.Helper()
	a := s.bare(host).api(http.MethodPost, "login", map[string]string{"username": username, "password": password})
	a.want(http.StatusOK)
	var out tokens
	a.json(&out)
	if out.Access == "" || out.Refresh == "" {
		s.t.Fatalf("a login without tokens: %s", a.body)
	}
	return out
}

// withBearer is a program that sends a token.
func (s *story) withBearer(host, token string) *visitor {
	v := s.bare(host)
	v.bearer = token
	return v
}

// socket opens a WebSocket; the answer is the refusal when there is none.
func (v *visitor) socket(path string, headers ...[]string) (*websocket.Conn, int, error) {
	v.s.t.Helper()
	h := http.Header{}
	for _, list := range headers {
		for i := 0; i+1 < len(list); i += 2 {
			h.Add(list[i], list[i+1])
		}
	}
	if v.bearer != "" {
		h.Set("Authorization", "Bearer "+v.bearer)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client := *v.c
	client.Timeout = 0
	asked := h.Get("Host")
	h.Del("Host")
	ws, res, err := websocket.Dial(ctx, "wss://"+v.host+path,
		&websocket.DialOptions{HTTPClient: &client, HTTPHeader: h, Host: asked})
	if ws != nil {
		v.s.t.Cleanup(func() { _ = ws.CloseNow() })
	}
	if res == nil {
		return ws, 0, err
	}
	return ws, res.StatusCode, err
}

// want fails the test unless the status is one of these.
func (a answer) want(statuses ...int) answer {
	a.t.Helper()
	for _, s := range statuses {
		if a.status == s {
			return a
		}
	}
	a.t.Fatalf("status %d, want %v: %v\n%.600s", a.status, statuses, a.header, a.body)
	return a
}

// problem is the body of an error.
type problem struct {
	Type, Title, Detail, Code, Reference string
	Status                               int
	LoginURL                             string `json:"login_url"`
	ConfirmURL                           string `json:"confirm_url"`
	ACRValues                            string `json:"acr_values"`
	MaxAge                               int    `json:"max_age"`
	Limits                               []string
	Error                                string
}

// problem reads problem+json and checks its shape (AP-01).
func (a answer) problem(status int, code string) problem {
	a.t.Helper()
	a.want(status)
	if ct := a.header.Get("Content-Type"); ct != "application/problem+json" {
		a.t.Errorf("Content-Type %q, want application/problem+json: %.300s", ct, a.body)
	}
	var p problem
	a.json(&p)
	if p.Status != status || p.Code != code || p.Type == "" || p.Title == "" || p.Detail == "" ||
		!reference.MatchString(p.Reference) {
		a.t.Errorf("problem %s, want status %d and code %s with type, title, detail and reference", a.body, status, code)
	}
	return p
}

var reference = regexp.MustCompile(`R-[2-9A-Z]{4}-[2-9A-Z]{4}`)

func (a answer) json(into any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		a.t.Fatalf("not JSON (%d): %v: %.300s", a.status, err, a.body)
	}
}

// setsCookie returns the Set-Cookie line for a name, "" without one.
func (a answer) setsCookie(name string) string {
	for _, line := range a.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, name+"=") {
			return line
		}
	}
	return ""
}
