package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// expect runs a command and wants an exit code; the words must be in what it says, on either stream.
func (s *story) expect(code int, words []string, args ...string) string {
	s.t.Helper()
	out, errs, got := s.g.CLI(args...)
	if got != code {
		s.t.Errorf("caddy truxe %s: exit %d, want %d: %s%s", strings.Join(args, " "), got, code, out, errs)
	}
	for _, w := range words {
		if !strings.Contains(out+errs, w) {
			s.t.Errorf("caddy truxe %s: %q is not in: %s%s", strings.Join(args, " "), w, out, errs)
		}
	}
	return out
}

// Users are managed on a running and on a stopped gateway, with the same words and exit codes.
func TestCommandsManageARunningAndAStoppedGateway(t *testing.T) { runScript(t, "users") }

// In a pipe a list is one line a row, with tabs; -o selects JSON, JSON lines or YAML. Data is on stdout only.
func TestCommandsWriteForPipes(t *testing.T) { runScript(t, "output") }

// Passwords come from standard input or a file and are checked; none is a flag.
func TestPasswordsOnTheCommandLine(t *testing.T) { runScript(t, "passwords") }

// JW-17 after `keys rotate` the old key still verifies what it signed, and the JWKS has both.
func TestRotatedKeyLeavesOldTokensValid(t *testing.T) {
	s := tell(t, plot{options: "\t\tjwt {\n\t\t\taccess 15m\n\t\t}",
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	kids := func() []string {
		var set struct{ Keys []struct{ Kid string } }
		s.bare("app.test").get("/.truxe/jwks.json", program).want(200).json(&set)
		var list []string
		for _, k := range set.Keys {
			list = append(list, k.Kid)
		}
		return list
	}
	before := s.login("app.test", "pia", piaPassword)
	first := kids()
	s.cli("keys", "rotate")
	rig.WaitFor(t, 5*time.Second, "both keys are published", func() bool { return len(kids()) == len(first)+1 })
	s.withBearer("app.test", before.Access).get("/x", program).want(200)
	after := s.login("app.test", "pia", piaPassword)
	s.withBearer("app.test", after.Access).get("/x", program).want(200)
	if out := s.cli("keys", "list"); !strings.Contains(out, first[0]) {
		t.Errorf("keys list: %s", out)
	}
	s.g.Restart()
	s.withBearer("app.test", before.Access).get("/x", program).want(200)
	s.withBearer("app.test", after.Access).get("/x", program).want(200)
}

// AU-05 a changed line of the audit log is found by `audit verify`, which ends with 1; an untouched copy is good.
func TestTamperedAuditFileIsFoundByVerify(t *testing.T) {
	s := tell(t, plot{options: "\t\taudit {\n\t\t\tfile {{dir}}/audit.jsonl\n\t\t}",
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	s.tryLogin("pia", "not her password at all").problem(401, "invalid_credentials")
	s.login("app.test", "pia", piaPassword)
	file := filepath.Join(s.g.Dir, "audit.jsonl")
	rig.WaitFor(t, 5*time.Second, "the sign-in is in the file", func() bool {
		raw, _ := os.ReadFile(file)
		return strings.Contains(string(raw), "authn_login_success")
	})
	s.expect(0, nil, "audit", "verify")
	s.expect(0, nil, "audit", "verify", file)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(raw), "\n")
	for name, tampered := range map[string]string{
		"changed":   strings.Replace(string(raw), "authn_login_fail", "authn_login_success", 1),
		"removed":   strings.Join(append(append([]string{}, lines[:1]...), lines[2:]...), ""),
		"reordered": strings.Join(append([]string{lines[1], lines[0]}, lines[2:]...), ""),
	} {
		copied := filepath.Join(t.TempDir(), name+".jsonl")
		if err := os.WriteFile(copied, []byte(tampered), 0o600); err != nil {
			t.Fatal(err)
		}
		s.expect(1, nil, "audit", "verify", copied)
	}
	if out := s.cli("audit", "list", "-n", "50"); !strings.Contains(out, "authn_login_fail") ||
		strings.Contains(out, "not her password") {
		t.Errorf("audit list: %s", out)
	}
	s.expect(1, nil, "audit", "verify", filepath.Join(s.g.Dir, "no-such-file"))
}

// The setup link works while there are no users, and a new one can be printed; afterwards it is gone.
func TestSetupLinkIsForAGatewayWithoutUsers(t *testing.T) {
	g := rig.Gateway(t, rig.Options{Caddyfile: site("app.test", "\ttruxe\n\trespond ok")})
	s := &story{t: t, g: g}
	first := g.WaitLog(`/\.truxe/setup#t=([\w-]+)`)[1]
	again := regexp.MustCompile(`#t=([\w-]+)`).FindStringSubmatch(s.expect(0, []string{"/.truxe/setup#t="}, "setup",
		"--link"))
	if again == nil || again[1] == first {
		t.Fatalf("no new link: %v", again)
	}
	person := s.browser("app.test")
	person.get("/.truxe/setup", navigate).want(200)
	person.form("setup", "token", first, "username", "eve", "new_password", adminPassword).want(400, 401, 403, 422)
	person.form("setup", "token", again[1], "username", "ada", "new_password", adminPassword).want(200, 303)
	s.expect(1, nil, "setup", "--link")
	out, errs, code := g.CLIWithInput(adminPassword, "setup", "--username", "mallory", "--email", "m@example.com",
		"--password-stdin")
	if code != 1 {
		t.Errorf("a second first administrator: exit %d %s%s", code, out, errs)
	}
}
