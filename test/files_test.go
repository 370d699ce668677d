package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// memory is the resident memory of a process in bytes.
func memory(t *testing.T, pid int) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(raw), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize()
}

// ED-10 A10: files that the gateway looks at again and again may become a FIFO, a device or endless while it runs: it
// says so, keeps what was there, and needs neither memory nor patience.
func TestWatchedFilesThatBecomeEndlessCostNothing(t *testing.T) {
	dir := t.TempDir()
	users := filepath.Join(dir, "users.yaml")
	if err := os.WriteFile(users, []byte("users:\n  - username: nils\n    email: nils@example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := policyFolder(t, "app.yaml",
		"rules:\n  - { id: all, effect: allow, hosts: [app.test], to: { anyone_signed_in: true } }\n")
	policy := filepath.Join(folder, "app.yaml")
	p := plot{options: "\t\tusers_file " + users + "\n\t\tpolicies " + folder,
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")}
	s := tell(t, p)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword).want(http.StatusOK)
	before := memory(t, s.g.PID())
	become := func(path, target string) {
		t.Helper()
		err := os.Remove(path)
		if err != nil {
			t.Fatal(err)
		}
		if target == "" {
			err = syscall.Mkfifo(path, 0o600)
		} else {
			err = os.Symlink(target, path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	become(users, "/dev/zero")
	become(policy, "/dev/zero")
	s.g.WaitLog(`users file was not applied.*not a regular file`)
	s.g.WaitLog(`policy files are not in force.*regular file`)
	if after := memory(t, s.g.PID()); after > before+64<<20 {
		t.Errorf("memory grew from %d to %d MiB", before>>20, after>>20)
	}
	become(users, "")
	become(policy, "")
	began := time.Now()
	if err := s.g.Reload(s.caddyfile(p)); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("a reload with FIFOs: %v", err)
	}
	timebound.Check(t, "the reload", time.Since(began), 10*time.Second)
	pia.get("/x", program).want(http.StatusOK)
}

// ED-10 every file that a configuration can name is bounded, and only a regular file: a FIFO, a folder, /dev/zero and
// one that is too large are errors that name the file, at once.
func TestEveryFileOfTheConfigurationIsBounded(t *testing.T) {
	dir := t.TempDir()
	pipe, big := filepath.Join(dir, "pipe"), filepath.Join(dir, "big")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(3 << 30); err != nil { // sparse
		t.Fatal(err)
	}
	_ = f.Close()
	postgres := func(file string) string {
		return "storage postgres postgres://127.0.0.1:1/x?" + file + "=FILE"
	}
	for name, c := range map[string]struct {
		option string
		whole  bool // searched where it is: of any size
	}{
		"users_file":     {option: "users_file FILE"},
		"logo":           {option: "brand {\n\t\t\tlogo FILE\n\t\t}"},
		"breached":       {option: "password {\n\t\t\tbreached FILE\n\t\t}", whole: true},
		"jwks":           {option: "jwt {\n\t\t\ttrust https://idp.example.com {\n\t\t\t\tjwks FILE\n\t\t\t\taudience x\n\t\t\t}\n\t\t}"},
		"encryption_key": {option: "encryption_key {file.FILE}"},
		"private_key":    {option: "jwt {\n\t\t\tprivate_key {file.FILE}\n\t\t}"},
		"redis":          {option: "redis {file.FILE}"},
		"ca_file":        {option: "redis rediss://127.0.0.1:1/0?ca_file=FILE"},
		"sslrootcert":    {option: postgres("sslrootcert")},
		"sslcert":        {option: postgres("sslcert")},
		"sslkey":         {option: postgres("sslkey")},
		"passfile":       {option: postgres("passfile")},
		"servicefile":    {option: postgres("servicefile")},
		"smtp ca_file":   {option: "smtp smtps://mail.example.com?ca_file=FILE {\n\t\t\tfrom a@example.com\n\t\t}"},
	} {
		for kind, file := range map[string]string{"a FIFO": pipe, "a folder": dir, "a device": "/dev/zero", "3 GiB": big} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				said, code, _ := rig.Validate(t, "{\n\ttruxe {\n\t\t"+strings.ReplaceAll(c.option, "FILE",
					file)+"\n\t}\n}\napp.test {\n\ttruxe\n}\n")
				says := "regular file"
				if file == big {
					says = "larger than"
				}
				if file == big && c.whole {
					says = "HASH:COUNT"
				}
				if code == 0 || !strings.Contains(said, file) || !strings.Contains(said, says) {
					t.Errorf("exit %d: %s", code, said)
				}
				timebound.Check(t, "caddy validate", time.Since(began), 10*time.Second)
			})
		}
	}
}

// ED-31 C: policy and users files that every user of the machine can change are said at start, each once; others are
// not.
func TestWorldWritableFilesDrawAWarning(t *testing.T) {
	open, closed := t.TempDir(), t.TempDir()
	users := filepath.Join(closed, "users.yaml")
	policy := filepath.Join(open, "app.yaml")
	for path, text := range map[string]string{users: "users: []\n",
		policy: "rules:\n  - { id: all, effect: allow, hosts: [app.test], to: { anyone_signed_in: true } }\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, mode := range map[string]os.FileMode{open: 0o777, policy: 0o666, closed: 0o755, users: 0o646} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	s := tell(t, plot{options: "\t\tusers_file " + users + "\n\t\tpolicies " + open,
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	for path, want := range map[string]int{open + " can be": 1, policy + " can be": 1, users + " can be": 1,
		closed + " can be": 0} {
		if n := strings.Count(s.g.Log(), path); n != want {
			t.Errorf("%q is said %d times, want %d", path, n, want)
		}
	}
}

// ED-31 C: what the store warns of is said once.
func TestStoreWarningsAreLoggedOnce(t *testing.T) {
	s := tell(t, plot{sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	s.g.Stop()
	if err := os.Chmod(filepath.Join(s.g.DataDir(), "truxe", "truxe.db"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(s.g.DataDir(), "truxe", "encryption.key"), 0o660); err != nil { // FIELD 50
		t.Fatal(err)
	}
	s.g.Start()
	for _, file := range []string{"truxe.db", "encryption.key"} {
		if n := strings.Count(s.g.Log(), file+" could be read by others"); n != 1 {
			t.Errorf("%s is said %d times", file, n)
		}
	}
}
