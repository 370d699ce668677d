package test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

var heldPlot = plot{sites: site("app.test", "\ttruxe\n"+keptOpen)}

// sameStore starts a second gateway on the data directory of another, on ports of its own.
func (s *story) sameStore(p plot) *story {
	s.t.Helper()
	second := &story{t: s.t, up: s.up}
	second.g = rig.Gateway(s.t, rig.Options{Dir: s.g.Dir, NoWait: true, Env: []string{ownKeyEnv()},
		Caddyfile: second.caddyfile(p),
		Ports:     map[string]int{"admin": rig.Port(s.t), "http": rig.Port(s.t), "https": rig.Port(s.t)}})
	return second
}

// ED-07 A7 without Redis, two processes on one store would not learn of each other's revocations: a session ended at
// one would go on at the other. The second waits for the first to end, then refuses to start and names it.
func TestSecondProcessOnTheStoreWithoutRedisIsRefused(t *testing.T) {
	s := tell(t, heldPlot)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword).want(http.StatusOK)
	second := s.sameStore(heldPlot)
	if code := second.g.WaitExit(45 * time.Second); code == 0 {
		t.Error("the second process ended with 0")
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	log := second.g.Log()
	for _, word := range []string{"process " + strconv.Itoa(s.g.PID()), host, "redis", "stop"} {
		if !strings.Contains(log, word) {
			t.Errorf("the error does not say %q: %s", word, log[max(0, len(log)-1500):])
		}
	}
	pia.get("/x", program).want(http.StatusOK) // the first was not disturbed
	s.cli("sessions", "revoke", "--user", "pia", "--yes")
	pia.get("/x", program).want(http.StatusUnauthorized)
}

// ED-07 A7 a rolling update on one machine: the second process waits until the first has ended, then serves the same
// sessions, and what the first revoked stays revoked.
func TestRollingUpdateWaitsForTheProcessBefore(t *testing.T) {
	s := tell(t, heldPlot)
	pia, ended := s.browser("app.test"), s.browser("app.test")
	pia.signIn("pia", piaPassword).want(http.StatusOK)
	ended.signIn("pia", piaPassword).want(http.StatusOK)
	second := s.sameStore(heldPlot)
	second.g.WaitLog(`waiting for .*process ` + strconv.Itoa(s.g.PID()))
	ended.do(http.MethodPost, "/.truxe/api/v1/logout", "", fetch).want(http.StatusNoContent)
	pia.get("/x", program).want(http.StatusOK)
	s.g.Stop()
	second.g.WaitListening()
	pia.on(second).get("/x", program).want(http.StatusOK)
	ended.on(second).get("/x", program).want(http.StatusUnauthorized)
}

// ED-07 A7 a holder that was killed leaves nothing that keeps the next one from starting at once.
func TestStoreOfAKilledProcessIsTakenOverAtOnce(t *testing.T) {
	s := tell(t, heldPlot)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword).want(http.StatusOK)
	s.g.Kill9()
	began := time.Now()
	s.g.Start()
	if log := s.g.Log(); strings.Contains(log, "waiting for") {
		t.Errorf("it waited (%v): %s", time.Since(began), log)
	}
	pia.get("/x", program).want(http.StatusOK)
}

// ED-07 R11 a reload that changes what an engine is made of opens a second engine beside the first, in one process: it
// needs no hand-over, and a revocation at the new one ends what the old one still serves.
func TestReloadThatOpensASecondEngineIsNotASecondProcess(t *testing.T) {
	s := tell(t, heldPlot)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword).want(http.StatusOK)
	for range 4 {
		s.tryLogin("pia", "not her password at all").problem(http.StatusUnauthorized, "invalid_credentials")
	}
	ws, _, err := pia.socket("/ws", siteOrigin)
	if err != nil {
		t.Fatal(err)
	}
	closed := s.reads(ws)
	changed := heldPlot
	changed.options = "\t\tsession {\n\t\t\tidle 2h\n\t\t}"
	began := time.Now()
	if err := s.g.Reload(s.caddyfile(changed)); err != nil {
		t.Fatal(err)
	}
	timebound.Check(t, "the reload", time.Since(began), 15*time.Second)
	if log := s.g.Log(); strings.Contains(log, "waiting for the store") {
		t.Errorf("it waited for itself: %s", log)
	}
	pia.get("/x", program).want(http.StatusOK)
	s.tryLogin("pia", "not her password at all").problem(http.StatusUnauthorized, "invalid_credentials")
	s.tryLogin("pia", piaPassword).limited("login") // the fifth was counted with the four before the reload
	s.cli("sessions", "revoke", "--user", "pia", "--yes")
	pia.get("/x", program).want(http.StatusUnauthorized)
	within(t, 2*time.Second, "the WebSocket that the old engine let in", closed)
	third := s.sameStore(heldPlot) // and the store is still held
	third.g.WaitLog(`waiting for .*process ` + strconv.Itoa(s.g.PID()))
}

// FIELD 49: a command line that finds no store says where it looked and makes none: a user added to a store of root's
// own would not exist for Caddy. `setup` makes one.
func TestCommandLineMakesNoSecondStoreByAccident(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte("{\n\tadmin 127.0.0.1:"+strconv.Itoa(rig.Port(t))+"\n}\napp.test {\n\ttruxe\n}\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "home")
	caddy := func(input string, args ...string) (string, int) {
		cmd := exec.Command(rig.Build(t), append(append([]string{"truxe"}, args...), "--config", file)...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_DATA_HOME=" + home + "/data",
			"XDG_CONFIG_HOME=" + home + "/config",
			"TRUXE_ADMIN_USERNAME=root", "TRUXE_ADMIN_EMAIL=root@example.com", "TRUXE_ADMIN_PASSWORD=" + adminPassword}
		cmd.Stdin = strings.NewReader(input)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	store := filepath.Join(home, "data", "caddy", "truxe", "truxe.db")
	for _, args := range [][]string{{"users", "list"}, {"users", "add", "carol", "--no-password"}, {"keys", "rotate"},
		{"audit", "list"}} {
		out, code := caddy("", args...)
		if code != 5 || !strings.Contains(out, store) {
			t.Errorf("%v: exit %d: %s", args, code, out)
		}
	}
	if _, err := os.Stat(filepath.Dir(store)); err == nil {
		t.Errorf("%s was made", filepath.Dir(store))
	}
	out, code := caddy(piaPassword, "setup", "--username", "ada", "--email", "ada@example.com", "--password-stdin")
	if code != 0 || !strings.Contains(out, store) {
		t.Errorf("setup: exit %d: %s", code, out)
	}
	if out, code := caddy("", "users", "list"); code != 0 || !strings.Contains(out, "ada") ||
		strings.Contains(out, "root@") {
		t.Errorf("users list after setup: exit %d: %s", code, out)
	}
}
