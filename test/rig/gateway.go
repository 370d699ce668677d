package rig

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Options say how a gateway is started.
type Options struct {
	// Caddyfile with two placeholders: {{port "name"}} is a free port (the same for the same name), {{dir}} the gateway's
	// folder. Other braces, Caddy's templates included, stay as they are.
	// Its global options get http_port, https_port (names "http" and "https"), local_certs and skip_install_trust unless
	// they are there, so a site named app.example.com is served with a local certificate, without root.
	Caddyfile string
	// Env is added to the environment, as KEY=value.
	Env []string
	// Dir is the working directory and the home of Caddy's data; default: a temporary folder of the test.
	Dir string
	// Ports presets names of {{port}}: two gateways that share an upstream, or a restart elsewhere.
	Ports map[string]int
	// NoWait returns as soon as the process runs: for configurations that are expected to fail.
	NoWait bool
}

// Caddy is a started gateway.
type Caddy struct {
	Dir string // working directory; data is below it, see DataDir

	t     testing.TB
	bin   string
	env   []string
	ports map[string]int
	file  string
	proc  *process
}

// Gateway writes the Caddyfile, starts `caddy run` and waits until every listener serves. It ends with the test; a
// failed test shows the end of its log.
func Gateway(t testing.TB, o Options) *Caddy {
	t.Helper()
	g := &Caddy{Dir: o.Dir, t: t, bin: Build(t), ports: map[string]int{}}
	if g.Dir == "" {
		g.Dir = tempDir(t)
	}
	for name, port := range o.Ports {
		g.ports[name] = port
	}
	home := filepath.Join(g.Dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatalf("make the gateway's home: %v", err)
	}
	// CADDY_ADMIN is Caddy's default for the admin endpoint: `caddy run`, `reload` and our commands all follow it.
	g.env = append(cleanEnv(), "HOME="+home, "XDG_DATA_HOME="+home+"/data", "XDG_CONFIG_HOME="+home+"/config",
		"CADDY_ADMIN="+g.AdminAddr())
	g.env = append(g.env, o.Env...)
	g.file = filepath.Join(g.Dir, "Caddyfile")
	g.write(o.Caddyfile)
	t.Cleanup(func() {
		if g.proc.running() {
			g.proc.stop(syscall.SIGTERM, 5*time.Second)
		}
		if t.Failed() {
			t.Logf("gateway:\n%s", g.proc.log.tail(16000))
		}
	})
	g.launch(!o.NoWait)
	return g
}

// cleanEnv is the environment without what would change a gateway under test.
func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case strings.HasPrefix(name, "TRUXE_"), strings.HasPrefix(name, "CADDY_"), strings.HasPrefix(name, "XDG_"),
			name == "HOME", name == "GOCOVERDIR":
		default:
			env = append(env, kv)
		}
	}
	return env
}

// Port is the port that {{port name}} stands for. "http" and "https" are Caddy's own.
func (g *Caddy) Port(name string) int {
	g.t.Helper()
	if g.ports[name] == 0 {
		g.ports[name] = Port(g.t)
	}
	return g.ports[name]
}

// AdminAddr is host:port of Caddy's admin endpoint.
func (g *Caddy) AdminAddr() string { return fmt.Sprintf("127.0.0.1:%d", g.Port("admin")) }

// DataDir is Caddy's data directory ({data_dir} of the Caddyfile).
func (g *Caddy) DataDir() string { return filepath.Join(g.Dir, "home", "data", "caddy") }

// Env is the environment the gateway runs with, as KEY=value.
func (g *Caddy) Env() []string { return append([]string(nil), g.env...) }

var placeholder = regexp.MustCompile(`\{\{(?:port "([a-z0-9-]+)"|dir)\}\}`)

// write fills in the ports and the folder and saves the Caddyfile.
func (g *Caddy) write(text string) {
	g.t.Helper()
	if err := os.WriteFile(g.file, []byte(g.complete(text)), 0o600); err != nil {
		g.t.Fatalf("write the Caddyfile: %v", err)
	}
}

// complete fills in the ports, the folder and the global options of a Caddyfile.
func (g *Caddy) complete(text string) string {
	g.t.Helper()
	text = placeholder.ReplaceAllStringFunc(text, func(p string) string {
		if name := placeholder.FindStringSubmatch(p)[1]; name != "" {
			return strconv.Itoa(g.Port(name))
		}
		return g.Dir
	})
	return withGlobals(text, []string{
		fmt.Sprintf("http_port %d", g.Port("http")), fmt.Sprintf("https_port %d", g.Port("https")), "local_certs",
		"skip_install_trust",
		// cleaning at the start takes away folders of certificates that are being made; Caddy tries again a minute later
		"storage_clean_interval off",
	})
}

var firstLine = regexp.MustCompile(`(?m)^[ \t]*[^#\s].*$`)

// withGlobals adds global options to a Caddyfile that does not name them.
func withGlobals(caddyfile string, options []string) string {
	var add strings.Builder
	for _, o := range options {
		name, _, _ := strings.Cut(o, " ")
		if !regexp.MustCompile(`(?m)^\s*` + name + `\b`).MatchString(caddyfile) {
			add.WriteString("\t" + o + "\n")
		}
	}
	first := firstLine.FindStringIndex(caddyfile)
	if first != nil && strings.TrimSpace(caddyfile[first[0]:first[1]]) == "{" {
		return caddyfile[:first[1]] + "\n" + add.String() + strings.TrimPrefix(caddyfile[first[1]:], "\n")
	}
	return "{\n" + add.String() + "}\n" + caddyfile
}

// launch starts the process.
func (g *Caddy) launch(wait bool) {
	g.t.Helper()
	cmd := exec.Command(g.bin, "run", "--config", g.file, "--adapter", "caddyfile")
	cmd.Dir, cmd.Env = g.Dir, g.env
	g.proc = start(g.t, "gateway", cmd, syscall.SIGKILL)
	if wait {
		g.WaitListening()
	}
}

// WaitListening waits until the admin endpoint answers, every listener accepts and every site has its certificate.
func (g *Caddy) WaitListening() {
	g.t.Helper()
	var config []byte
	WaitFor(g.t, 30*time.Second, "the admin endpoint answers", func() bool {
		if !g.proc.running() {
			g.t.Fatalf("the gateway ended:\n%s", g.proc.log.tail(8000))
		}
		status, body, err := g.admin(http.MethodGet, "/config/apps/http", nil)
		config = body
		return err == nil && status == http.StatusOK
	})
	for _, s := range g.servers(config) {
		WaitFor(g.t, 30*time.Second, "listener "+s.addr+" serves "+s.host, s.ready)
	}
}

// Reload replaces the Caddyfile (with the placeholders of Options.Caddyfile) through `caddy reload --force`. A
// configuration that Caddy refuses is an error with Caddy's words; the old one then goes on.
func (g *Caddy) Reload(caddyfile string) error {
	g.t.Helper()
	g.write(caddyfile)
	_, stderr, code := g.Run("reload", "--config", g.file, "--adapter", "caddyfile", "--force")
	if code != 0 {
		return errors.New(stderr)
	}
	g.WaitListening()
	return nil
}

// Load replaces the configuration through the admin endpoint, in a few milliseconds: for tests that need hundreds. The
// file of Reload stays as it is. A configuration that Caddy refuses is an error with Caddy's words; the old one then
// goes on.
func (g *Caddy) Load(caddyfile string) error {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+g.AdminAddr()+"/load", strings.NewReader(g.complete(caddyfile)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/caddyfile")
	status, answer, err := send(req)
	if err == nil && status != http.StatusOK {
		err = errors.New(string(answer))
	}
	return err
}

// Signal sends a signal to the process (SIGUSR1 reloads, SIGSTOP freezes).
func (g *Caddy) Signal(sig syscall.Signal) {
	g.t.Helper()
	if err := g.proc.signal(sig); err != nil {
		g.t.Fatalf("signal the gateway: %v", err)
	}
}

// PID is the process id.
func (g *Caddy) PID() int { return g.proc.cmd.Process.Pid }

// Running says whether the process lives.
func (g *Caddy) Running() bool { return g.proc.running() }

// Kill9 is kill -9.
func (g *Caddy) Kill9() { g.proc.kill() }

// Stop sends SIGTERM and waits for the end; a gateway that needs over 15 s fails the test.
func (g *Caddy) Stop() {
	g.t.Helper()
	if !g.proc.stop(syscall.SIGTERM, 15*time.Second) {
		g.t.Errorf("the gateway did not end within 15s of SIGTERM")
	}
}

// WaitExit waits for the process to end by itself and gives its exit code.
func (g *Caddy) WaitExit(limit time.Duration) int {
	g.t.Helper()
	select {
	case <-g.proc.done:
		return g.proc.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		g.t.Fatalf("the gateway still runs after %v", limit)
		return 0
	}
}

// Start starts the gateway again after Stop or Kill9, on the same ports, files and environment. Its log begins anew.
func (g *Caddy) Start() {
	g.t.Helper()
	g.launch(true)
}

// Restart is Stop, then Start.
func (g *Caddy) Restart() {
	g.t.Helper()
	g.Stop()
	g.Start()
}

// Log is all the process has written to standard output and error since it was started.
func (g *Caddy) Log() string { return g.proc.log.String() }

// WaitLog waits until the log matches and gives the match and its groups.
func (g *Caddy) WaitLog(pattern string) []string {
	g.t.Helper()
	m, ok := g.proc.log.wait(regexp.MustCompile(pattern), 10*time.Second)
	if !ok {
		g.t.Fatalf("the log never matched %s", pattern)
	}
	return m
}
