package test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/crypto/bcrypt"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// ED-24 SE-15: a script that signs in at the API in every run ends its own oldest sessions and none of its owner's
// browsers.
func TestScriptThatSignsInEachRunEndsNoBrowserSession(t *testing.T) {
	s := tell(t, plot{options: "\t\tsession {\n\t\t\tlimit 2\n\t\t}",
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	v := s.browser("app.test")
	v.signIn("pia", piaPassword)
	var runs []tokens
	for range 4 {
		runs = append(runs, s.login("app.test", "pia", piaPassword))
	}
	v.get("/x", program).want(http.StatusOK)
	for i, want := range []int{401, 401, 200, 200} { // control: the same limit holds among the scripts
		if got := s.withBearer("app.test", runs[i].Access).get("/x", program).status; got != want {
			t.Errorf("run %d: %d, want %d", i+1, got, want)
		}
	}
	for range 2 { // and among the browsers
		s.browser("app.test").signIn("pia", piaPassword)
	}
	v.get("/x", program).want(http.StatusUnauthorized)
	s.withBearer("app.test", runs[3].Access).get("/x", program).want(http.StatusOK)
}

// ED-23 SE-10: what a page sends over an open socket is use of the session; a silent socket and one on a passive path
// are not.
func TestBusySocketKeepsTheSessionInUse(t *testing.T) {
	s := tell(t, plot{options: "\t\tsession {\n\t\t\tidle 3s\n\t\t}",
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM") +
			site("quiet.test", "\ttruxe {\n\t\tpassive /*\n\t}\n\treverse_proxy UPSTREAM")})
	open := func(host string) (*visitor, *websocket.Conn) {
		v := s.browser(host)
		v.signIn("pia", piaPassword)
		ws, status, err := v.socket("/ws", []string{"Origin", "https://" + host})
		if err != nil {
			t.Fatalf("%s: %d %v", host, status, err)
		}
		return v, ws
	}
	busy, busyWS := open("app.test")
	silent, _ := open("app.test")
	passive, passiveWS := open("quiet.test")
	end := time.Now().Add(6 * time.Second)
	for time.Now().Before(end) {
		for name, ws := range map[string]*websocket.Conn{"busy": busyWS, "passive": passiveWS} {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			err := ws.Write(ctx, websocket.MessageText, []byte("x"))
			if err == nil {
				_, _, err = ws.Read(ctx)
			}
			cancel()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	busy.get("/x", program).want(http.StatusOK)
	silent.get("/x", program).want(http.StatusUnauthorized)
	passive.get("/x", program).want(http.StatusUnauthorized)
}

// ED-27: user names that are e-mail addresses may have every character that a local part has (RFC 5322 3.2.3,
// dot-atom), on each way: command line, users file, pages, API, Caddyfile, headers.
func TestNamesThatPeopleHaveSignIn(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte(piaPassword), 4)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"o'brien@example.com", "a&b=c@example.com", "user+tag@example.com", "!#$%*/?^_{}~-x@example.com"}
	file := "users:\n"
	for _, name := range names[1:] {
		file += fmt.Sprintf("  - { username: %q, password_hash: %q, roles: [member] }\n", name, hash)
	}
	path := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	s := tell(t, plot{options: "\t\tusers_file " + path, sites: site("app.test",
		"\ttruxe {\n\t\tallow user "+strings.Join(names[:3], " ")+"\n\t\tallow role member\n\t}\n\treverse_proxy UPSTREAM")})
	if out, errs, code := s.g.CLIWithInput(piaPassword, "users", "add", names[0], "--email", names[0],
		"--password-stdin"); code != 0 {
		t.Fatalf("users add: %d %s%s", code, out, errs)
	}
	for _, name := range names {
		v := s.browser("app.test")
		v.signIn(name, piaPassword)
		v.get("/x", program).want(http.StatusOK)
		got, err := url.PathUnescape(strings.Join(s.up.Last().Get("Remote-User"), "|"))
		if err != nil || got != name {
			t.Errorf("Remote-User %q, want %q", got, name)
		}
		if page := v.get("/.truxe/account", navigate).want(http.StatusOK); strings.Contains(page.body, "o'brien") {
			t.Error("a name stands raw in the page")
		}
		if token := s.login("app.test", strings.ToUpper(name), piaPassword); token.User.Username != name {
			t.Errorf("at the API %q is %q", name, token.User.Username)
		}
		if out := s.cli("users", "show", name); !strings.Contains(out, name) {
			t.Errorf("users show: %s", out)
		}
	}
	for _, name := range []string{`CORP\pia`, "two words", "o'brien", "a|b@example.com", "a`b@example.com",
		".dot@example.com", "dot.@example.com", "do..t@example.com", "a@b@example.com", `"quoted"@example.com`} {
		out, errs, code := s.g.CLIWithInput(piaPassword, "users", "add", name, "--password-stdin")
		if code == 0 || !strings.Contains(out+errs, "user name") {
			t.Errorf("%s: exit %d: %s%s", name, code, out, errs)
		}
	}
}

// ED-31 R11: a site's rate limit goes on counting over a reload.
func TestSiteLimitOutlivesAReload(t *testing.T) {
	p := plot{sites: site("app.test", "\ttruxe {\n\t\trate_limit 3 1h\n\t\tpublic /*\n\t}\n\treverse_proxy UPSTREAM") +
		site("other.test", "\ttruxe {\n\t\trate_limit 3 1h\n\t\tpublic /*\n\t}\n\treverse_proxy UPSTREAM")}
	s := tell(t, p)
	v := s.bare("app.test")
	for range 3 {
		v.get("/x", program).want(http.StatusOK)
	}
	v.get("/x", program).want(http.StatusTooManyRequests)
	p.global = "\t# another configuration\n\tservers {\n\t\tkeepalive_interval 11s\n\t}"
	if err := s.g.Reload(s.caddyfile(p)); err != nil {
		t.Fatal(err)
	}
	v.get("/x", program).want(http.StatusTooManyRequests)
	s.bare("other.test").get("/x", program).want(http.StatusOK) // control: each site counts for itself
}

// ED-12 ED-31 R11: sites that are alike, on one listener and on several, keep their own counts over reloads, in
// whatever order Caddy sets its servers up.
func TestLimitsOfAlikeSitesOutliveReloads(t *testing.T) {
	body := "\ttruxe {\n\t\trate_limit 3 1h\n\t\tpublic /*\n\t}\n\treverse_proxy UPSTREAM"
	p := plot{sites: site("app.test", body) + site("other.test", body) + site(`https://app.test:{{port "second"}}`,
		body) + site(`https://app.test:{{port "third"}}`, body)}
	s := tell(t, p)
	get := func(host string, want int) {
		t.Helper()
		answer, err := s.g.Client().Get("https://" + host + "/x")
		if err != nil {
			t.Fatal(err)
		}
		if _ = answer.Body.Close(); answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, answer.StatusCode, want)
		}
	}
	second, third := fmt.Sprintf("app.test:%d", s.g.Port("second")), fmt.Sprintf("app.test:%d", s.g.Port("third"))
	for range 3 {
		get("app.test", http.StatusOK)
		get(third, http.StatusOK)
	}
	for i := range 6 {
		get("app.test", http.StatusTooManyRequests)
		get(third, http.StatusTooManyRequests)
		if i < 3 { // control: the others have counts of their own
			get("other.test", http.StatusOK)
			get(second, http.StatusOK)
		}
		p.global = fmt.Sprintf("\tservers {\n\t\tkeepalive_interval %ds\n\t}", 20+i)
		if err := s.g.Reload(s.caddyfile(p)); err != nil {
			t.Fatal(err)
		}
	}
}

// ED-31 PW-16: a hash of the empty password, imported from elsewhere, signs no user in.
func TestImportedHashOfTheEmptyPasswordSignsNoUserIn(t *testing.T) {
	var file strings.Builder
	file.WriteString("users:\n")
	for name, password := range map[string]string{"void": "", "full": piaPassword} {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), 4)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&file, "  - { username: %s, password_hash: %q }\n", name, hash)
	}
	path := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s := tell(t, plot{options: "\t\tusers_file " + path, sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	for _, password := range []string{"", " "} {
		if a := s.bare("app.test").api(http.MethodPost, "login",
			map[string]string{"username": "void", "password": password}); a.status == http.StatusOK {
			t.Errorf("signed in with %q: %s", password, a.body)
		}
		if a := s.browser("app.test").tryForm("/.truxe/login", "void", password); a.status == http.StatusSeeOther {
			t.Errorf("signed in at the page with %q", password)
		}
	}
	rig.WaitFor(t, 10*time.Second, "the log names the user",
		func() bool { return strings.Contains(s.g.Log(), "empty password") })
	s.login("app.test", "full", piaPassword)
}
