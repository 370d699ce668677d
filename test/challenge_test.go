package test

import (
	"net/http"
	gitcgi "net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// basicAsked reports whether an answer asks for Basic, beside the Bearer that every 401 of the gate has.
func basicAsked(t *testing.T, what string, a answer) bool {
	t.Helper()
	a.want(http.StatusUnauthorized)
	all := strings.Join(a.header.Values("WWW-Authenticate"), "|")
	if !strings.HasPrefix(all, "Bearer") {
		t.Errorf("%s: WWW-Authenticate %q", what, all)
	}
	return strings.Contains(all, "|Basic realm=")
}

// ED-24: git, WebDAV and curl are asked for a password, which is a token; no browser ever is, so none shows its native
// prompt over an app.
func TestBasicIsAskedOfProgramsAlone(t *testing.T) {
	s := tell(t, plot{global: "\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}\n",
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM") + site("verify.test",
			"\ttruxe forward_auth {\n\t\thosts app1.test\n\t}")})
	curl := []string{"User-Agent", "curl/8.14.1", "Accept", "*/*"}
	old := []string{"User-Agent", "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", "Accept", "*/*"}
	v := s.bare("app.test")
	for name, c := range map[string]struct {
		method  string
		headers [][]string
		want    bool
	}{
		"curl":                 {"GET", [][]string{curl}, true},
		"git":                  {"GET", [][]string{{"User-Agent", "git/2.47.3", "Accept", "*/*"}}, true},
		"WebDAV":               {"PROPFIND", [][]string{{"User-Agent", "davfs2/1.7.0", "Depth", "1"}}, true},
		"a token that expired": {"GET", [][]string{curl, {"Authorization", "Basic eDp0cnhfcGF0X3g="}}, true},
		"fetch":                {"GET", [][]string{fetch, {"User-Agent", "curl/8.14.1"}}, false},
		"a browser's image":    {"GET", [][]string{old}, false},
		"its form":             {"POST", [][]string{submit, old}, false},
		"its WebDAV script":    {"PROPFIND", [][]string{old}, false},
	} {
		if got := basicAsked(t, name, v.do(c.method, "/x", "", c.headers...)); got != c.want {
			t.Errorf("%s: asked for Basic %v, want %v", name, got, c.want)
		}
	}
	asked := s.bare("verify.test")
	for name, c := range map[string]struct {
		headers []string
		want    bool
	}{"curl": {curl, true}, "an old browser": {old, false}, "fetch": {fetch, false}} {
		a := asked.get("/.truxe/forward-auth", c.headers, []string{"X-Forwarded-Method", "GET", "X-Forwarded-Proto", "https",
			"X-Forwarded-Host", "app1.test", "X-Forwarded-Uri", "/x", "X-Forwarded-For", "203.0.113.7"})
		if got := basicAsked(t, name+" through another proxy", a); got != c.want {
			t.Errorf("%s through another proxy: asked for Basic %v, want %v", name, got, c.want)
		}
	}
}

// ED-24: a real git clones and pushes through the gateway with a token as the password, once it is asked for one; with
// a wrong token and with the user's own password it does not.
func TestGitGetsInWithATokenAsPassword(t *testing.T) {
	root := t.TempDir()
	git := func(dir string, args ...string) (string, error) {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
			"HOME="+root,
			"GIT_AUTHOR_NAME=pia", "GIT_AUTHOR_EMAIL=pia@example.com", "GIT_COMMITTER_NAME=pia",
			"GIT_COMMITTER_EMAIL=pia@example.com")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(dir string, args ...string) {
		t.Helper()
		if out, err := git(dir, args...); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(root, "notes.git")
	must(root, "init", "-q", "--bare", "-b", "main", bare)
	must(bare, "config", "http.receivepack", "true")
	app := answering(t, (&gitcgi.Handler{Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}}).ServeHTTP)
	s := tell(t, plot{sites: site("localhost", "\ttruxe {\n\t\tallow role member\n\t}\n\treverse_proxy "+app)})
	token := s.login("localhost", "pia", piaPassword).Access
	repo := func(password string) string {
		return "https://pia:" + password + "@" + strings.TrimPrefix(s.g.URL("/notes.git"), "https://")
	}
	t.Setenv("GIT_SSL_CAINFO", s.g.RootFile())
	work := filepath.Join(root, "work")
	must(root, "clone", "-q", repo(token), work)
	if err := os.WriteFile(filepath.Join(work, "a.txt"), []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(work, "add", "a.txt")
	must(work, "commit", "-q", "-m", "a")
	must(work, "push", "-q", "origin", "HEAD:main")
	if out, err := git(bare, "log", "--format=%s", "main"); err != nil || strings.TrimSpace(out) != "a" {
		t.Errorf("what was pushed is %q, %v", out, err)
	}
	for name, password := range map[string]string{"a wrong token": token[:len(token)-4] + "AAAA",
		"the password": "harbour%20lamps%20at%20low%20tide"} {
		out, err := git(root, "clone", "-q", repo(password), filepath.Join(root, "no"))
		if err == nil || !strings.Contains(out, "Authentication failed") {
			t.Errorf("git with %s: %v %s", name, err, out)
		}
	}
}
