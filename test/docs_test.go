package test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// The ports of Caddyfile.example, which documents use; the tests put free ones in their place.
var (
	exampleHTTPS = regexp.MustCompile(`\b8443\b`)
	exampleHTTP  = regexp.MustCompile(`\b8080\b`)
	exampleOther = regexp.MustCompile(`\b84[0-9]{2}\b`)
)

// docRunner executes the blocks of documents. Its gateway is started when a block first needs it.
type docRunner struct {
	t       testing.TB
	bin     string
	dir     string // working directory of the document's blocks
	gateway func() *rig.Caddy
}

func markdownFiles(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	if _, err := os.Stat(filepath.Join(root, "README.md")); err == nil {
		files = append(files, "README.md")
	}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".md") {
			rel, _ := filepath.Rel(root, path)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

func TestEveryBlockOfTheDocumentsWorks(t *testing.T) {
	example := sync.OnceValue(func() *rig.Caddy { return startExample(t) })
	for file, text := range readDocs(t, rig.Root()) {
		r := docRunner{t: t, bin: rig.Build(t), dir: t.TempDir(), gateway: example}
		for _, b := range blocksOf(file, text) {
			if err := r.check(b); err != nil {
				t.Errorf("%s:%d: %v", b.file, b.line, err)
			}
		}
	}
}

// adminEnv configures the first administrator of the documents' gateway.
var adminEnv = []string{"TRUXE_ADMIN_USERNAME=admin", "TRUXE_ADMIN_EMAIL=admin@example.com",
	"TRUXE_ADMIN_PASSWORD=seven quiet otters knit"}

// startExample starts Caddyfile.example on a free port.
func startExample(t *testing.T) *rig.Caddy {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rig.Root(), "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	return startDocs(t, string(text))
}

func startDocs(t *testing.T, caddyfile string) *rig.Caddy {
	t.Helper()
	caddyfile = exampleHTTPS.ReplaceAllString(caddyfile, `{{port "https"}}`)
	caddyfile = exampleHTTP.ReplaceAllString(caddyfile, `{{port "http"}}`)
	caddyfile = exampleOther.ReplaceAllString(caddyfile, `{{port "p$0"}}`)
	return rig.Gateway(t, rig.Options{Caddyfile: caddyfile, Env: adminEnv})
}

// TestExampleCaddyfilesAreValid holds for the one that `make run` starts and for every recipe.
func TestExampleCaddyfilesAreValid(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(rig.Root(), "examples", "*", "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(rig.Root(), "Caddyfile.example")); err == nil {
		files = append(files, filepath.Join(rig.Root(), "Caddyfile.example"))
		if g := startExample(t); !g.Running() {
			t.Error("Caddyfile.example does not start")
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := docRunner{t: t, bin: rig.Build(t), dir: filepath.Dir(file)}
		if err := r.caddyfile(string(text), ""); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

var relativeLink = regexp.MustCompile(`\]\(([^)\s#]+)[^)]*\)`)

func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	for file, text := range readDocs(t, rig.Root()) {
		for _, m := range relativeLink.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], ":") {
				continue
			}
			if _, err := os.Stat(filepath.Join(rig.Root(), filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
	}
}

// check does with a block what its language and mark ask (CONTRIBUTING.md lists them).
func (r docRunner) check(b block) error {
	shell := slices.Contains([]string{"sh", "bash", "console"}, b.lang)
	script := b.text
	if b.lang == "console" {
		script = commands(b.text)
	}
	switch {
	case b.mark == "unclosed":
		return errors.New("the block is not closed")
	case b.mark == "output":
		return nil
	case b.mark == "shown":
		if b.arg == "" {
			return errors.New("shown needs a reason: <!-- test: shown: why it cannot run here -->")
		}
		if shell {
			return r.parseShell(script)
		}
		return nil
	case b.mark == "proxies": // started by test/proxies, which fails for a name that it does not start
		around, caddyfile := map[string]string{"gateway": "", "caddy": "site"}[b.arg]
		if b.lang == "caddyfile" && caddyfile {
			return r.caddyfile(b.text, around)
		}
		if !slices.Contains([]string{"nginx", "haproxy", "haproxy.lua"}, b.arg) {
			return fmt.Errorf("test/proxies starts no block %q", b.arg)
		}
		return nil
	case b.mark == "file":
		if !filepath.IsLocal(b.arg) {
			return fmt.Errorf("file %q: not a name below the working directory", b.arg)
		}
		path := filepath.Join(r.dir, b.arg)
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(b.text), 0o600))
	case b.mark == "front": // started by TestDocumentedProxiesInFront
		if b.lang != b.arg || !slices.Contains(fronts, b.arg) {
			return fmt.Errorf("no test starts the block %q", b.arg)
		}
		return nil
	case b.lang == "caddyfile":
		return r.caddyfile(b.text, b.mark)
	case shell && b.mark == "run":
		return r.run(script)
	case shell && b.mark == "make":
		return r.makeTargets(script)
	case b.mark != "":
		return fmt.Errorf("mark %q does not fit a %q block", b.mark, b.lang)
	case b.lang == "json":
		if !json.Valid([]byte(b.text)) {
			return errors.New("not valid JSON")
		}
		return nil
	case b.lang == "yaml":
		return yaml.Unmarshal([]byte(b.text), new(any))
	case b.lang == "go":
		_, err := parser.ParseFile(token.NewFileSet(), "", b.text, 0)
		return err
	}
	return fmt.Errorf("a %q block that nothing tests: mark it run, make, output, file NAME or shown: WHY", b.lang)
}

// wraps are the marks of Caddyfile pieces, with what surrounds them.
var wraps = map[string][2]string{
	"":       {"", ""},
	"site":   {"localhost {\n", "}\n"},
	"global": {"{\n", "}\n"},
	"truxe":  {"{\n\ttruxe {\n", "\t}\n}\n"},
}

// caddyfile formats and validates a Caddyfile, or a piece of one.
func (r docRunner) caddyfile(text, kind string) error {
	around, ok := wraps[kind]
	if !ok {
		return fmt.Errorf("mark %q does not fit a Caddyfile", kind)
	}
	formatted, err := r.command(text, nil, r.bin, "fmt", "-")
	if err != nil {
		return err
	}
	if strings.TrimSpace(formatted) != strings.TrimSpace(text) {
		return fmt.Errorf("caddy fmt would write:\n%s", formatted)
	}
	file, err := os.CreateTemp(r.t.TempDir(), "Caddyfile-")
	if err != nil {
		return err
	}
	if _, err := file.WriteString(around[0] + text + around[1]); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	_, err = r.command("", sampleEnv(text), r.bin, "validate", "--config", file.Name(), "--adapter", "caddyfile")
	return err
}

var envPlaceholder = regexp.MustCompile(`\{env\.([A-Z0-9_]+)\}|\{\$([A-Z0-9_]+)(?::[^}]*)?\}`)

var sampleKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY",
		Bytes: x509.MarshalPKCS1PrivateKey(key)}))
})

// sampleEnv returns a value of the right shape for every environment placeholder of a Caddyfile.
func sampleEnv(caddyfile string) []string {
	random := make([]byte, 32)
	_, _ = rand.Read(random)
	var env []string
	for _, m := range envPlaceholder.FindAllStringSubmatch(caddyfile, -1) {
		name, value := m[1]+m[2], "sample"
		switch {
		case strings.Contains(name, "PRIVATE_KEY"):
			value = sampleKey()
		case strings.Contains(name, "ENCRYPTION_KEY"), strings.HasSuffix(name, "_KEY"):
			value = base64.StdEncoding.EncodeToString(random)
		case strings.Contains(name, "SECRET"):
			value = "whsec_" + base64.StdEncoding.EncodeToString(random)
		case strings.Contains(name, "POSTGRES"), strings.Contains(name, "DSN"), strings.Contains(name, "DATABASE"):
			value = "postgres://truxe@127.0.0.1:1/truxe"
		case strings.Contains(name, "REDIS"):
			value = "redis://127.0.0.1:1/0"
		}
		env = append(env, name+"="+value)
	}
	return env
}

func (r docRunner) parseShell(script string) error {
	_, err := r.command(script, nil, "bash", "-n")
	return err
}

// run executes a script beside the gateway: `caddy` is our binary, curl trusts the gateway's certificate, the example's
// port is the gateway's.
func (r docRunner) run(script string) error {
	g := r.gateway()
	bin := filepath.Join(r.dir, ".bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for link, to := range map[string]string{
		filepath.Join(bin, "caddy"): r.bin, filepath.Join(r.dir, "Caddyfile"): filepath.Join(g.Dir, "Caddyfile"),
		filepath.Join(r.dir, "Caddyfile.example"): filepath.Join(g.Dir, "Caddyfile"),
	} {
		if err := os.Symlink(to, link); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	env := append(g.Env(), adminEnv...)
	env = append(env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "CURL_CA_BUNDLE="+g.RootFile())
	script = exampleHTTPS.ReplaceAllString(script, strconv.Itoa(g.Port("https")))
	script = exampleHTTP.ReplaceAllString(script, strconv.Itoa(g.Port("http")))
	_, err := r.command("set -euo pipefail\n"+script, env, "bash", "-s")
	return err
}

var makeCall = regexp.MustCompile(`(?m)\bmake((?:[ \t]+[a-z][a-z-]*)+)`)

// makeTargets asks make whether it knows the targets of the script, without running them.
func (r docRunner) makeTargets(script string) error {
	if err := r.parseShell(script); err != nil {
		return err
	}
	calls := makeCall.FindAllStringSubmatch(script, -1)
	if len(calls) == 0 {
		return errors.New("marked make, but calls no make target")
	}
	for _, call := range calls {
		if _, err := r.command("", nil, "make", append([]string{"-C", rig.Root(), "-n"},
			strings.Fields(call[1])...)...); err != nil {
			return err
		}
	}
	return nil
}

// command runs a program in the document's folder within a minute; an error holds its output.
func (r docRunner) command(input string, env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = r.dir
	home := filepath.Join(r.t.TempDir(), "home")
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, errs.String(),
			out.String())
	}
	return out.String(), nil
}

func TestDocumentTestRefusesWhatDoesNotWork(t *testing.T) {
	g := sync.OnceValue(func() *rig.Caddy { return startDocs(t, "localhost:8443 {\n\trespond hello\n}\n") })
	r := docRunner{t: t, bin: rig.Build(t), dir: t.TempDir(), gateway: g}
	for _, c := range []struct {
		lang, mark, arg, text string
		wrong                 string // part of the error; empty: works
	}{
		{"caddyfile", "", "", "localhost {\n\trespond hello\n}\n", ""},
		{"caddyfile", "site", "", "respond {env.GREETING}\n", ""},
		{"caddyfile", "global", "", "admin off\n", ""},
		{"caddyfile", "site", "", "no_such_directive\n", "no_such_directive"},
		{"caddyfile", "", "", "localhost {\nrespond hello\n}\n", "caddy fmt"},
		{"caddyfile", "run", "", "localhost\n", "does not fit"},
		{"yaml", "file", "greeting.txt", "hello\n", ""},
		{"yaml", "file", "../out", "hello\n", "not a name below"},
		{"sh", "run", "", "test \"$(curl -sS https://localhost:8443/)\" = \"$(cat greeting.txt)\"\ncaddy version\n", ""},
		{"sh", "run", "", "curl -sS https://localhost:8443/ | grep goodbye\n", "exit status 1"},
		{"console", "run", "", "$ echo a\na\n$ test -f Caddyfile\n", ""},
		{"console", "run", "", "$ false\n", "exit status 1"},
		{"sh", "make", "", "git clone https://example.com/x && cd x\nmake help\n", ""},
		{"sh", "make", "", "make no-such-target\n", "no-such-target"},
		{"sh", "shown", "needs a network", "xcaddy build --with example.com/x\n", ""},
		{"sh", "shown", "needs a network", "if then\n", "syntax error"},
		{"sh", "shown", "", "ls\n", "needs a reason"},
		{"sh", "", "", "ls\n", "nothing tests"},
		{"nginx", "", "", "server {}\n", "nothing tests"},
		{"nginx", "shown", "nginx is not installed", "server {}\n", ""},
		{"nginx", "proxies", "nginx", "server {}\n", ""},
		{"nginx", "proxies", "apache", "server {}\n", "starts no block"},
		{"caddyfile", "proxies", "caddy", "respond hello\n", ""},
		{"caddyfile", "proxies", "caddy", "no_such_directive\n", "no_such_directive"},
		{"", "output", "", "anything\n", ""},
		{"json", "", "", "{\"a\": 1}\n", ""},
		{"json", "", "", "{a: 1}\n", "JSON"},
		{"yaml", "", "", "a: [1\n", "yaml"},
		{"go", "", "", "package x\n", ""},
		{"", "unclosed", "", "", "not closed"},
	} {
		err := r.check(block{"x.md", 1, c.lang, c.text, c.mark, c.arg})
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s %s %q: %v, want %q", c.lang, c.mark, c.text, err, c.wrong)
		}
	}
}
