package test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

const keptOpen = "\treverse_proxy UPSTREAM {\n\t\tstream_close_delay 1h\n\t}"

// R11 a reload keeps sessions, tokens, refresh families, the counters of failed sign-ins and open WebSockets; the new
// rules hold at once; a configuration that is refused changes nothing.
func TestReloadLosesNothing(t *testing.T) {
	p := plot{options: "\t\trate_limit address 10000 5m", sites: site("app.test", "\ttruxe\n"+keptOpen)}
	s := tell(t, p)
	s.user("vera", "amber skies above us", "guest")
	person := s.browser("app.test")
	person.signIn("pia", piaPassword).want(200)
	token := s.login("app.test", "pia", piaPassword)
	ws, _, err := person.socket("/ws", siteOrigin)
	if err != nil {
		t.Fatal(err)
	}
	ended := s.reads(ws)
	for range 5 {
		s.tryLogin("vera", "not her password at all").problem(401, "invalid_credentials")
	}

	still := func(when string) {
		t.Helper()
		if a := person.get("/x", program); a.status != 200 {
			t.Errorf("%s: the session is gone: %d", when, a.status)
		}
		if a := s.withBearer("app.test", token.Access).get("/x", program); a.status != 200 {
			t.Errorf("%s: the access token is refused: %d", when, a.status)
		}
		s.tryLogin("vera", "amber skies above us").limited("login")
		select {
		case <-ended:
			t.Fatalf("%s: the WebSocket was closed", when)
		default:
		}
	}
	still("before any reload")
	for range 3 {
		if err := s.g.Reload(s.caddyfile(p)); err != nil {
			t.Fatal(err)
		}
	}
	still("after three reloads")
	s.g.Signal(syscall.SIGUSR1)
	still("after SIGUSR1")

	broken := p
	broken.sites = strings.Replace(p.sites, "truxe\n", "truxe {\n\t\talow role guest\n\t}\n", 1)
	if err := s.g.Reload(s.caddyfile(broken)); err == nil || !strings.Contains(err.Error(), "did you mean") {
		t.Errorf("a wrong word: %v", err)
	}
	still("after a refused configuration")

	strict := p
	strict.sites = strings.Replace(p.sites, "truxe\n", "truxe {\n\t\tallow role guest\n\t}\n", 1)
	if err := s.g.Reload(s.caddyfile(strict)); err != nil {
		t.Fatal(err)
	}
	person.get("/x", program).problem(403, "role_required")
	if err := s.g.Reload(s.caddyfile(p)); err != nil {
		t.Fatal(err)
	}
	still("after a stricter configuration came and went")

	fresh := s.refresh(token.Refresh)
	if fresh.Refresh == "" || fresh.Refresh == token.Refresh {
		t.Error("the refresh family did not survive")
	}
	s.cli("sessions", "revoke", "--user", "pia", "--yes")
	within(t, 2*time.Second, "the WebSocket of a revoked session, five reloads later", ended)
}

// R11 the gateway can leave the configuration and come back: what is durable is still there.
func TestGatewayLeavesTheConfigurationAndComesBack(t *testing.T) {
	p := plot{sites: site("app.test", "\ttruxe\n"+keptOpen)}
	s := tell(t, p)
	person := s.browser("app.test")
	person.signIn("pia", piaPassword).want(200)
	if err := s.g.Reload(strings.ReplaceAll(site("app.test", "\treverse_proxy UPSTREAM"), "UPSTREAM",
		s.up.Addr())); err != nil {
		t.Fatal(err)
	}
	s.bare("app.test").get("/open", program).want(200)
	if err := s.g.Reload(s.caddyfile(p)); err != nil {
		t.Fatal(err)
	}
	s.bare("app.test").get("/x", program).problem(401, "login_required")
	person.get("/x", program).want(200)
}

// Thirty reloads leave no goroutine, no file and no connection behind.
func TestReloadsLeakNothing(t *testing.T) {
	p := plot{sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")}
	s := tell(t, p)
	person := s.browser("app.test")
	person.signIn("pia", piaPassword).want(200)
	measure := func() (goroutines, files int) {
		time.Sleep(1500 * time.Millisecond) // grace period of the old servers
		_, raw := s.g.Admin(http.MethodGet, "/metrics", nil)
		m := regexp.MustCompile(`(?m)^go_goroutines (\d+)`).FindSubmatch(raw)
		if m == nil {
			t.Fatal("no go_goroutines among the metrics")
		}
		goroutines, _ = strconv.Atoi(string(m[1]))
		open, err := os.ReadDir("/proc/" + strconv.Itoa(s.g.PID()) + "/fd")
		if err != nil {
			t.Fatal(err)
		}
		return goroutines, len(open)
	}
	for range 3 { // the first reloads make what then stays
		if err := s.g.Reload(s.caddyfile(p)); err != nil {
			t.Fatal(err)
		}
	}
	g0, f0 := measure()
	for range 30 {
		if err := s.g.Reload(s.caddyfile(p)); err != nil {
			t.Fatal(err)
		}
	}
	g1, f1 := measure()
	t.Logf("goroutines %d, then %d; open files %d, then %d", g0, g1, f0, f1)
	if g1 > g0+15 || f1 > f0+10 {
		t.Errorf("30 reloads: goroutines %d to %d, open files %d to %d", g0, g1, f0, f1)
	}
	person.get("/x", program).want(200)
}

// The users file is applied at start, at reload and when it changes; a wrong one is reported and changes no user.
func TestUsersFileIsAppliedAtStartAtReloadAndWhenItChanges(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "users.yaml")
	hash := "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy" // of no password here
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("users:\n  - username: nils\n    email: nils@example.com\n    roles: [reader]\n    password_hash: \"" + hash +
		"\"\n")
	p := plot{options: "\t\tusers_file " + file, sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")}
	s := tell(t, p)
	if out := s.cli("users", "list", "-o", "json"); !strings.Contains(out, `"nils"`) || !strings.Contains(out, "reader") {
		t.Fatalf("not applied at start: %s", out)
	}
	write("users:\n  - username: nils\n    email: nils@example.com\n    roles: [writer]\n    password_hash: \"" + hash +
		"\"\n  - username: mona\n    email: mona@example.com\n    password_hash: \"" + hash + "\"\n")
	rig.WaitFor(t, 15*time.Second, "the changed file is applied", func() bool {
		out := s.cli("users", "list", "-o", "json")
		return strings.Contains(out, "writer") && strings.Contains(out, `"mona"`)
	})
	write("users:\n  - username: nils\n    emial: nils@example.com\n")
	s.g.WaitLog(`line 3: unknown key .*emial.*did you mean .*email`)
	if err := s.g.Reload(s.caddyfile(p)); err == nil || !strings.Contains(err.Error(), "users.yaml: line 3") {
		t.Errorf("a wrong file at reload: %v", err)
	}
	if out := s.cli("users", "list", "-o", "json"); !strings.Contains(out, "writer") || !strings.Contains(out, `"mona"`) {
		t.Errorf("a wrong file changed users: %s", out)
	}
}
