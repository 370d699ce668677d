package edges

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// person is a user who can sign in, with what the upstream may learn about them.
type person struct {
	name, display, email string
	roles                []string
	id                   string
	sessions             map[string]string // cookie value by host
	revoked              map[string]string // cookie value of an ended session by host
	token                string            // access token
	revokedToken         string
}

const password = "seven quiet otters knit"

// cast are the users: alice has everything, bob lacks what a forged header could put in its place.
func cast() []*person {
	return []*person{
		{name: "alice", display: "Alice Zoë", email: "alice@example.com", roles: []string{"editor", "staff"}},
		{name: "bob"},
	}
}

// writeUsers writes the users file.
func writeUsers(t testing.TB, dir string, people []*person) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	if err != nil {
		t.Fatal(err)
	}
	var w strings.Builder
	w.WriteString("users:\n")
	for _, p := range people {
		w.WriteString("  - username: " + p.name + "\n    password_hash: " + string(hash) + "\n")
		if p.display != "" {
			w.WriteString("    name: " + p.display + "\n    email: " + p.email + "\n    roles: [" + strings.Join(p.roles,
				", ") + "]\n")
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "users.yaml"), []byte(w.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hosts are all names at which a user has a session.
var hosts = []string{"one.test", "two.test", "x.wild.test", "y.wild.test", "other.test", forwardHost, portalHost}

// signInEverywhere fills in a person's credentials. The gateway must serve every host.
func signInEverywhere(t testing.TB, g *rig.Caddy, p *person) {
	t.Helper()
	p.sessions, p.revoked = map[string]string{}, map[string]string{}
	for _, host := range hosts {
		p.sessions[host] = signIn(t, g, host, p.name)
		if host == "one.test" || host == "x.wild.test" {
			p.revoked[host] = signIn(t, g, host, p.name)
			call(t, g, http.MethodPost, host, "logout", "", nil, p.revoked[host], http.StatusNoContent)
		}
	}
	p.token, p.id = login(t, g, p.name)
	p.revokedToken, _ = login(t, g, p.name)
	call(t, g, http.MethodPost, "one.test", "logout", p.revokedToken, nil, "", http.StatusNoContent)
}

func login(t testing.TB, g *rig.Caddy, name string) (token, id string) {
	t.Helper()
	var out struct {
		Token string `json:"access_token"`
		User  struct{ ID string }
	}
	raw := call(t, g, http.MethodPost, "one.test", "login", "", map[string]any{"username": name, "password": password}, "",
		http.StatusOK)
	if err := json.Unmarshal(raw, &out); err != nil || out.Token == "" {
		t.Fatalf("login: %s", raw)
	}
	return out.Token, out.User.ID
}

// call sends one request to the JSON API.
func call(t testing.TB, g *rig.Caddy, method, host, name, token string, body any, cookie string, want ...int) []byte {
	t.Helper()
	raw, _ := json.Marshal(body)
	req, err := http.NewRequest(method, "https://"+host+"/.truxe/api/v1/"+name, strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if cookie != "" {
		req.Header.Set("Cookie", "__Host-truxe="+cookie)
		req.Header.Set("Origin", "https://"+host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	client := g.Client()
	client.Jar = nil
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	if !slices.Contains(want, res.StatusCode) {
		t.Fatalf("%s %s at %s: %d %s", method, name, host, res.StatusCode, answer)
	}
	return answer
}

var returnField = regexp.MustCompile(`name="return"[^>]*value="([^"]+)"`)

// signIn goes through the login page of a host and returns the session cookie's value.
func signIn(t testing.TB, g *rig.Caddy, host, name string) string {
	t.Helper()
	client := g.Client()
	do := func(method, body string) *http.Response {
		req, err := http.NewRequest(method, "https://"+host+"/.truxe/login", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []field{{"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "document"},
			{"Sec-Fetch-Site", "same-origin"}, {"Origin", "https://" + host},
			{"Content-Type", "application/x-www-form-urlencoded"}} {
			req.Header.Set(f.name, f.value)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	res := do(http.MethodGet, "")
	page, _ := io.ReadAll(res.Body)
	res.Body.Close()
	form := url.Values{"username": {name}, "password": {password}}
	if m := returnField.FindSubmatch(page); m != nil {
		form.Set("return", string(m[1]))
	}
	res = do(http.MethodPost, form.Encode())
	page, _ = io.ReadAll(res.Body)
	res.Body.Close()
	for _, c := range res.Cookies() {
		if c.Name == "__Host-truxe" && c.Value != "" {
			return c.Value
		}
	}
	t.Fatalf("no session for %s at %s: %d %.300s", name, host, res.StatusCode, page)
	return ""
}
