package test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// Passwords of the stories' users. Long enough, and on no list.
const (
	adminPassword = "seven quiet otters knit"
	piaPassword   = "harbour lamps at low tide"
)

// ownKey signs every token of the stories' gateways: imported, so that a test can sign what the gateway would not.
var ownKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// ownKeyEnv is what `private_key {env.JWT_PRIVATE_KEY_BASE64}` reads.
func ownKeyEnv() string {
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(ownKey())}
	return "JWT_PRIVATE_KEY_BASE64=" + base64.StdEncoding.EncodeToString(pem.EncodeToMemory(block))
}

// story is a gateway before one recording upstream, with an administrator `root` and the low-rights user `pia`, whose
// one role is `member`.
type story struct {
	t  testing.TB
	g  *rig.Caddy
	up *rig.EchoServer
}

// plot says how a story's gateway is configured. In sites, UPSTREAM stands for the upstream's address.
type plot struct {
	options string // of the global option truxe, beside the quick password hash
	global  string // other global options
	sites   string
	env     []string
	// policies are policy files, name and text by turns; in options, POLICIES stands for their folder.
	policies []string
}

// tell starts a gateway for a story.
func tell(t testing.TB, p plot) *story {
	t.Helper()
	s := &story{t: t, up: rig.Echo(t)}
	if len(p.policies) > 0 {
		p.options = strings.ReplaceAll(p.options, "POLICIES", policyFolder(t, p.policies...))
	}
	s.g = rig.Gateway(t, rig.Options{Caddyfile: s.caddyfile(p),
		Env: append([]string{"TRUXE_ADMIN_USERNAME=root", "TRUXE_ADMIN_EMAIL=root@example.com",
			"TRUXE_ADMIN_PASSWORD=" + adminPassword, ownKeyEnv()}, p.env...),
	})
	s.user("pia", piaPassword, "member")
	return s
}

// caddyfile writes a plot down. bcrypt at its lowest cost keeps the tests quick; CONTRACT section 2 allows 10.
func (s *story) caddyfile(p plot) string {
	options := p.options
	if !strings.Contains(options, "password {") {
		options += "\n\t\tpassword {\n\t\t\thash bcrypt 10\n\t\t}"
	}
	if !strings.Contains(options, "jwt {") {
		options += "\n\t\tjwt {\n\t\t\tprivate_key {env.JWT_PRIVATE_KEY_BASE64}\n\t\t}"
	}
	return "{\n\tgrace_period 1s\n" + p.global + "\n\ttruxe {\n" + options + "\n\t}\n}\n" + strings.ReplaceAll(p.sites,
		"UPSTREAM", s.up.Addr())
}

// user creates a user on the command line.
func (s *story) user(name, password string, roles ...string) {
	s.t.Helper()
	if out, code := s.addUser(name, password, roles...); code != 0 {
		s.t.Fatalf("users add %s: exit %d: %s", name, code, out)
	}
}

// addUser is user for those that may be refused: what the command said, and its exit code.
func (s *story) addUser(name, password string, roles ...string) (string, int) {
	s.t.Helper()
	args := []string{"users", "add", name, "--email", name + "@example.com", "--name",
		strings.ToUpper(name[:1]) + name[1:], "--password-stdin"}
	for _, role := range roles {
		args = append(args, "--role", role)
	}
	out, errs, code := s.g.CLIWithInput(password, args...)
	return out + errs, code
}

// event waits for the audit event with a reference, as JSON: refusals are written in batches, after their answers.
func (s *story) event(reference string) (line string) {
	s.t.Helper()
	rig.WaitFor(s.t, 10*time.Second, "an audit event with the reference "+reference, func() bool {
		line = s.cli("audit", "list", "--reference", reference, "-o", "jsonl")
		return line != ""
	})
	return line
}

// cli runs `caddy truxe args…`, which must succeed.
func (s *story) cli(args ...string) string {
	s.t.Helper()
	out, errs, code := s.g.CLI(args...)
	if code != 0 {
		s.t.Fatalf("caddy truxe %s: exit %d: %s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// shared is a gateway that the tests of one file use one after the other; it ends with the package's tests.
type shared struct {
	plot plot

	mu    sync.Mutex
	tried bool
	story *story
	tb    *lasting
}

// sharedStories are ended by TestMain.
var sharedStories []*shared

// share declares a gateway; it is started by the first test that asks for it.
func share(p plot) *shared {
	sh := &shared{plot: p}
	sharedStories = append(sharedStories, sh)
	return sh
}

// open returns the story for a test. A failed test shows the end of the gateway's log.
func (sh *shared) open(t *testing.T) *story {
	t.Helper()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.tried && sh.story == nil {
		t.Fatal("the gateway of this file did not start, see the first test")
	}
	if sh.tb == nil {
		sh.tb = &lasting{}
	}
	sh.tb.TB = t
	if !sh.tried {
		sh.tried = true
		sh.story = tell(sh.tb, sh.plot)
	}
	t.Cleanup(func() {
		if log := sh.story.g.Log(); t.Failed() {
			t.Logf("gateway:\n%s", log[max(0, len(log)-4000):])
		}
	})
	sh.story.t = t
	sh.story.up.Forget()
	return sh.story
}

// endStories stops the shared gateways.
func endStories() {
	for _, sh := range sharedStories {
		if sh.tb != nil {
			sh.tb.end()
		}
	}
}

// lasting takes the place of one test after the other, so that what a rig starts outlives the first of them.
type lasting struct {
	testing.TB
	ends []func()
	over bool
}

func (l *lasting) Cleanup(f func()) { l.ends = append(l.ends, f) }

// TempDir outlives the first test, too.
func (l *lasting) TempDir() string {
	dir, err := os.MkdirTemp("", "story-")
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (l *lasting) Failed() bool { return !l.over && l.TB.Failed() }

func (l *lasting) end() {
	l.over = true
	for i := len(l.ends) - 1; i >= 0; i-- {
		l.ends[i]()
	}
}

// ownMatrix reads a matrix of our own from testdata.
func ownMatrix(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(rig.Root(), "test", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	readJSON(t, raw, into)
}

func readJSON(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("read the matrix: %v", err)
	}
}

// corpus reads a file of others, which is not committed: from the folder that TRUXE_CORPORA names, or from
// ../shared/corpora beside the repository. Without it the test runs on its own committed cases.
func corpus(t *testing.T, name string) ([]byte, bool) {
	t.Helper()
	dir := os.Getenv("TRUXE_CORPORA")
	if dir == "" {
		dir = filepath.Join(rig.Root(), "..", "shared", "corpora")
	}
	raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Logf("%s is not here, so only the committed cases run", name)
		return nil, false
	}
	return raw, true
}

// site writes a site block.
func site(host, body string) string { return fmt.Sprintf("%s {\n%s\n}\n", host, body) }
