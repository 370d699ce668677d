package test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// secretForms are the ways to write a secret in a Caddyfile.
func secretForms(t *testing.T) map[string]string {
	return map[string]string{"environment": "{env.SECRET}", "{$NAME}": "{$SECRET}",
		"placeholder of a file": "{file." + secretFile(t) + "}"}
}

// brokenUsers is a users file whose errors are about the secret.
func brokenUsers(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(file, []byte("users:\n  - "+hostile+": x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// ED-09 A9: a gateway that runs with secrets is given configurations that it must refuse, by the admin endpoint and by
// `caddy reload`. Neither the answers, nor its log, nor GET /config/ contain any part of a secret, of the refused
// configurations or of its own. Control: it works with a secret of its own, and its log and configuration are not
// empty.
func TestRunningGatewayShowsNoPartOfASecret(t *testing.T) {
	server := rig.Redis(t, "--requirepass", hostile)
	s := tell(t, plot{options: "\t\tredis {env.TRUXE_REDIS}", sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
		env: []string{"SECRET=" + hostile, "GOOD_KEY=" + freshKey(),
			"TRUXE_REDIS=redis://:" + url.QueryEscape(hostile) + "@" + server.Addr() + "/0"}})
	users := brokenUsers(t)
	hostilePlot := func(option, value string) plot {
		option = strings.NewReplacer("SECRET", value, "USERS", users).Replace(option)
		return plot{options: "\t\t" + complete(option), sites: site("app.test", "\ttruxe\n\trespond ok")}
	}
	for name, option := range secretOptions {
		for form, value := range secretForms(t) {
			err := s.g.Load(s.caddyfile(hostilePlot(option, value)))
			if err == nil {
				t.Fatalf("%s, %s: it was loaded", name, form)
			}
			hides(t, name+", "+form+", the answer of /load", err.Error())
		}
	}
	for _, name := range []string{"postgres URL, whole", "redis URL, name of a parameter", "smtp URL", "encryption key",
		"private key", "half a placeholder", "users file"} {
		for _, value := range []string{"{env.SECRET}", "{$SECRET}"} {
			err := s.g.Reload(s.caddyfile(hostilePlot(secretOptions[name], value)))
			if err == nil {
				t.Fatalf("%s, %s: it was reloaded", name, value)
			}
			hides(t, name+", "+value+", caddy reload", err.Error())
		}
	}
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword).want(http.StatusOK)
	pia.get("/x", program).want(http.StatusOK)
	_, config := s.g.Admin(http.MethodGet, "/config/", nil)
	if !strings.Contains(string(config), "{env.TRUXE_REDIS}") {
		t.Errorf("control: GET /config/ has no option of the gateway: %s", config)
	}
	hides(t, "GET /config/", string(config))
	log := s.g.Log()
	if strings.Count(log, `"load failed"`)+strings.Count(log, "/load") == 0 {
		t.Errorf("control: the log has nothing about the refused configurations: %s", log)
	}
	hides(t, "the log", log)
}

// ED-09 A9: `caddy run` ends on such a configuration, and its log and standard error contain no part of the secret.
func TestStartThatFailsShowsNoPartOfASecret(t *testing.T) {
	users := brokenUsers(t)
	for _, name := range []string{"postgres URL", "postgres URL, whole", "redis URL, name of a parameter",
		"redis URL, sentinel", "smtp URL", "encryption key", "private key",
		"jwks URL", "half a placeholder", "users file"} {
		for form, value := range secretForms(t) {
			t.Run(name+", "+form, func(t *testing.T) {
				option := strings.NewReplacer("SECRET", value, "USERS", users).Replace(secretOptions[name])
				g := rig.Gateway(t, rig.Options{NoWait: true, Env: []string{"SECRET=" + hostile, "GOOD_KEY=" + freshKey()},
					Caddyfile: "{\n\ttruxe {\n\t\t" + complete(option) + "\n\t}\n}\napp.test {\n\ttruxe\n}\n"})
				if code := g.WaitExit(30 * time.Second); code == 0 || g.Log() == "" {
					t.Errorf("exit %d: %q", code, g.Log())
				}
				hides(t, "caddy run", g.Log())
			})
		}
	}
}
