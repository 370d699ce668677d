package test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

var sessionSites = share(plot{
	options: "\t\trate_limit login 1000 5m\n\t\trate_limit address 1000 5m\n\t\tcors https://spa.test",
	sites: site("app.test", "\ttruxe {\n\t\tpublic /public/*\n\t}\n\treverse_proxy UPSTREAM") +
		site("other.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
})

// SE-04, SE-05 the cookies are host-only, Secure, HttpOnly and Lax; "Keep me signed in" is a lifetime, nothing else.
func TestCookiesAreHostOnlySecureAndHttpOnly(t *testing.T) {
	s := sessionSites.open(t)
	for _, remember := range []bool{false, true} {
		v := s.browser("app.test")
		page := v.get("/.truxe/login", navigate).want(200)
		var more []string
		if remember {
			more = []string{"remember", "on"}
		}
		a := v.tryForm("/.truxe/login", "pia", piaPassword, more...).want(303)
		lines := append(page.header.Values("Set-Cookie"), a.header.Values("Set-Cookie")...)
		found := map[string]bool{}
		for _, line := range lines {
			name, _, _ := strings.Cut(line, "=")
			found[name] = true
			for _, part := range []string{"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} {
				if !strings.Contains(line+";", "; "+part+";") {
					t.Errorf("%s lacks %s: %s", name, part, line)
				}
			}
			if strings.Contains(strings.ToLower(line), "domain") || !strings.HasPrefix(name, "__Host-truxe") ||
				len(line) >= 4096 {
				t.Errorf("cookie %s", line)
			}
			if name == "__Host-truxe" && strings.Contains(line, "Max-Age=2592000") != remember {
				t.Errorf("remember %v: %s", remember, line)
			}
		}
		if !found["__Host-truxe"] || !found["__Host-truxe-flow"] {
			t.Errorf("cookies set: %v", found)
		}
	}
}

// SE-01 the id has 256 random bits, and no file of the gateway holds it.
func TestSessionIDIsRandomAndStoredHashed(t *testing.T) {
	s := sessionSites.open(t)
	seen := map[string]bool{}
	for range 3 {
		v := s.browser("app.test")
		v.signIn("pia", piaPassword)
		raw, err := base64.RawURLEncoding.DecodeString(v.session())
		if err != nil || len(raw) < 32 || seen[v.session()] {
			t.Fatalf("session cookie of %d bytes: %v", len(raw), err)
		}
		seen[v.session()] = true
	}
	files := 0
	err := filepath.WalkDir(s.g.DataDir(), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files++
		for id := range seen {
			raw, _ := base64.RawURLEncoding.DecodeString(id)
			if bytes.Contains(text, []byte(id)) || bytes.Contains(text, raw) {
				t.Errorf("%s holds a session's id", path)
			}
		}
		if bytes.Contains(text, []byte(piaPassword)) {
			t.Errorf("%s holds a password", path)
		}
		return err
	})
	if err != nil || files < 2 {
		t.Fatalf("%d files were searched: %v", files, err)
	}
}

// SE-02, SE-03 an id that a client chose or that was there before is never adopted, and the old one is dead.
func TestSignInMakesANewSessionID(t *testing.T) {
	s := sessionSites.open(t)
	chosen := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	v := s.browser("app.test")
	page := v.get("/.truxe/login", navigate)
	flow, _, _ := strings.Cut(strings.TrimPrefix(page.setsCookie("__Host-truxe-flow"), "__Host-truxe-flow="), ";")
	fixed := s.bare("app.test")
	fixed.cookie = "__Host-truxe=" + chosen + "; __Host-truxe-flow=" + flow
	a := fixed.form("login", "username", "pia", "password", piaPassword).want(303)
	if line := a.setsCookie("__Host-truxe"); line == "" || strings.Contains(line, chosen) {
		t.Errorf("after a sign-in with a chosen id: %q", line)
	}
	fixed.get("/x", program).want(401)

	v.signIn("pia", piaPassword)
	first := v.session()
	v.get("/x", program).want(200)
	v.tryForm("/.truxe/login?switch=1", "pia", piaPassword).want(303)
	second := v.session()
	a = v.form("confirm", "password", piaPassword).want(303)
	third := v.session()
	if first == second || second == third || a.setsCookie("__Host-truxe") == "" {
		t.Errorf("ids after sign-in, sign-in and confirmation: %q %q %q", first, second, third)
	}
	bare := s.bare("app.test")
	for _, old := range []string{first, second} {
		bare.cookie = "__Host-truxe=" + old
		bare.get("/x", program).want(401)
	}
	v.get("/x", program).want(200)
}

// SE-05 a session is bound to its host: elsewhere its cookie means unauthenticated.
func TestSessionIsBoundToItsHost(t *testing.T) {
	s := sessionSites.open(t)
	v := s.browser("app.test")
	v.signIn("pia", piaPassword)
	v.get("/x", program).want(200)
	other := s.bare("other.test")
	other.cookie = "__Host-truxe=" + v.session()
	other.get("/x", program).problem(401, "login_required")
	other.api("GET", "userinfo", nil).problem(401, "login_required")
}

// SE-11, SE-12 logout is a POST of our own page; it ends session, cookie and whatever belongs to them.
func TestLogoutEndsTheSessionAtTheServer(t *testing.T) {
	s := sessionSites.open(t)
	v := s.browser("app.test")
	v.signIn("pia", piaPassword)
	old := s.bare("app.test")
	old.cookie = "__Host-truxe=" + v.session()

	if a := v.get("/.truxe/logout", navigate).want(200); !strings.Contains(a.body, `method="post"`) {
		t.Error("GET shows no form to sign out with")
	}
	v.get("/.truxe/logout", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest",
		"image"})
	v.do("POST", "/.truxe/logout", "", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Origin",
		"https://evil.test"}).want(403)
	v.do("POST", "/.truxe/logout", "", []string{"Origin", "https://evil.test"}).want(403)
	old.get("/x", program).want(200) // none of these signed out

	a := v.form("logout").want(303)
	if line := a.setsCookie("__Host-truxe"); !strings.Contains(line, "Max-Age=0") {
		t.Errorf("the cookie is not cleared: %q", line)
	}
	old.get("/x", program).problem(401, "login_required")
	old.get("/x", navigate).want(302)
	v.get("/.truxe/logout", navigate).want(200)
}

// SE-11, JW-12, RT-05 logout of an API client ends session, refresh family and access tokens, old ones too.
func TestAPILogoutEndsSessionRefreshAndAccessTokens(t *testing.T) {
	s := sessionSites.open(t)
	one, bystander := s.login("app.test", "pia", piaPassword), s.login("app.test", "pia", piaPassword)
	two := s.refresh(one.Refresh)
	s.withBearer("app.test", one.Access).get("/x", program).want(200)
	s.withBearer("app.test", two.Access).api("POST", "logout", nil).want(204)
	for _, token := range []string{one.Access, two.Access} {
		s.withBearer("app.test", token).get("/x", program).problem(401, "invalid_token")
	}
	s.tryRefresh(two.Refresh).problem(400, "invalid_grant")
	s.withBearer("app.test", bystander.Access).get("/x", program).want(200)
	s.refresh(bystander.Refresh)
}

// SE-14 users list and end their own sessions and no other user's.
func TestPeopleEndTheirOwnSessionsOnly(t *testing.T) {
	s := sessionSites.open(t)
	s.user("olga", "silver ferry to nowhere", "member")
	type row struct {
		ID, Host, Created, IP string
		LastSeen              string `json:"last_seen"`
		UserAgent             string `json:"user_agent"`
		AMR                   []string
		Current               bool
	}
	list := func(v *visitor) (rows []row, current string) {
		var out struct{ Items []row }
		v.api("GET", "sessions", nil).want(200).json(&out)
		for _, r := range out.Items {
			if r.Current {
				current = r.ID
			}
			if r.Created == "" || r.IP != "127.0.0.1" || r.UserAgent != "story" || strings.Join(r.AMR, " ") != "pwd" {
				t.Errorf("session %+v", r)
			}
		}
		return out.Items, current
	}
	a, b, c := s.browser("app.test"), s.browser("app.test"), s.browser("app.test")
	for _, v := range []*visitor{a, b, c} {
		v.signIn("olga", "silver ferry to nowhere")
	}
	mine, idA := list(a)
	_, idB := list(b)
	if len(mine) != 3 || idA == "" || idA == idB {
		t.Fatalf("sessions %+v, current %q and %q", mine, idA, idB)
	}
	stranger := s.browser("app.test")
	stranger.signIn("pia", piaPassword)
	own := []string{"Origin", "https://app.test", "Sec-Fetch-Site", "same-origin"}
	stranger.api("DELETE", "sessions/"+idB, nil, own).problem(404, "not_found")
	stranger.api("DELETE", "sessions/none", nil, own).problem(404, "not_found")
	b.get("/x", program).want(200)

	a.api("DELETE", "sessions/"+idB, nil, own).want(204)
	b.get("/x", program).problem(401, "login_required")
	a.api("DELETE", "sessions?except=current", nil, own).want(204)
	c.get("/x", program).problem(401, "login_required")
	a.get("/x", program).want(200)

	// The page does the same.
	b.signIn("olga", "silver ferry to nowhere")
	if page := a.get("/.truxe/account/sessions", navigate).want(200); strings.Contains(page.body, b.session()) {
		t.Error("the page shows a session's secret")
	}
	a.form("account/sessions", "revoke", "others").want(303)
	b.get("/x", program).problem(401, "login_required")

	// Signing out everywhere ends the caller's session too, and an administrator may do it for any user.
	a.api("DELETE", "sessions", nil, own).want(204)
	a.get("/x", program).problem(401, "login_required")
	c.signIn("olga", "silver ferry to nowhere")
	if out := s.cli("sessions", "list", "--user", "olga", "-o", "jsonl"); strings.Count(out, "\n") != 1 {
		t.Errorf("sessions list: %s", out)
	}
	s.cli("sessions", "revoke", "--user", "olga", "--yes")
	c.get("/x", program).problem(401, "login_required")
}

// SE-15 ten sessions a person, also when twenty sign in at once; the others live on.
func TestSessionLimitHoldsUnderRace(t *testing.T) {
	s := sessionSites.open(t)
	s.user("lars", "forty wooden bridges", "member")
	first := s.login("app.test", "lars", "forty wooden bridges")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var all []string
	for range 16 {
		wg.Go(func() {
			a, err := s.bare("app.test").comeAgain("POST", "/.truxe/api/v1/login",
				`{"username":"lars","password":"forty wooden bridges"}`, sendsJSON)
			if err != nil || a.status != 200 {
				t.Errorf("login: %d %v %s", a.status, err, a.body)
				return
			}
			var got tokens
			a.json(&got)
			mu.Lock()
			all = append(all, got.Access)
			mu.Unlock()
		})
	}
	wg.Wait()
	alive := 0
	for _, token := range all {
		if s.withBearer("app.test", token).get("/x", program).status == 200 {
			alive++
		}
	}
	if alive != 10 {
		t.Errorf("%d of 17 sessions live, want the limit of 10", alive)
	}
	s.withBearer("app.test", first.Access).get("/x", program).problem(401, "invalid_token")
}

// SE-13, RT-06 disabling or deleting a user ends everything they hold within a second.
func TestDisabledOrDeletedUserIsOutAtOnce(t *testing.T) {
	s := sessionSites.open(t)
	for _, how := range [][]string{{"users", "disable", "dora"}, {"users", "delete", "erik", "--yes"}} {
		name := how[2]
		s.user(name, "thirty marble staircases", "member")
		v := s.browser("app.test")
		v.signIn(name, "thirty marble staircases")
		token := s.login("app.test", name, "thirty marble staircases")
		v.get("/x", program).want(200)
		s.withBearer("app.test", token.Access).get("/x", program).want(200)
		s.cli(how...)
		rig.WaitFor(t, time.Second, name+"'s cookie and token are dead", func() bool {
			return v.get("/x", program).status == 401 && s.withBearer("app.test", token.Access).get("/x", program).status == 401
		})
		s.tryRefresh(token.Refresh).problem(400, "invalid_grant")
		v.get("/.truxe/account", navigate).want(302)
		s.bare("app.test").api("POST", "login", map[string]string{"username": name,
			"password": "thirty marble staircases"}).problem(401, "invalid_credentials")
	}
	s.cli("users", "enable", "dora")
	s.login("app.test", "dora", "thirty marble staircases")
}
