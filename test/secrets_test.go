package test

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// AU-07 no secret is in GET /config/, in autosave.json, in the output of `caddy adapt`, in the log, or in what an error
// says, whether it comes from the environment or from a file.
func TestSecretsStayOutOfConfigAndLogs(t *testing.T) {
	random := func() string {
		var b [32]byte
		_, _ = rand.Read(b[:])
		return hex.EncodeToString(b[:])
	}
	key, older, redisPassword := random(), random(), random()
	redis := rig.Redis(t, "--requirepass", redisPassword)
	keyFile := filepath.Join(t.TempDir(), "older.key")
	if err := os.WriteFile(keyFile, []byte(older+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := plot{
		options: "\t\tencryption_key {env.MY_KEY} {file." + keyFile + "}\n\t\tredis {env.MY_REDIS}",
		sites:   site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
		env:     []string{"MY_KEY=" + key, "MY_REDIS=redis://:" + redisPassword + "@" + redis.Addr() + "/0"},
	}
	s := tell(t, p)
	person := s.browser("app.test")
	person.signIn("pia", piaPassword).want(200)
	token := s.login("app.test", "pia", piaPassword)
	s.tryLogin("pia", "wrong "+random()).problem(401, "invalid_credentials")
	redis.Stop()
	_ = person.get("/x", program)
	redis.Start()

	_, config := s.g.Admin(http.MethodGet, "/config/", nil)
	autosave, err := os.ReadFile(filepath.Join(s.g.Dir, "home", "config", "caddy", "autosave.json"))
	if err != nil {
		t.Fatal(err)
	}
	adapted, complaints, code := s.g.Run("adapt", "--config", filepath.Join(s.g.Dir, "Caddyfile"), "--adapter",
		"caddyfile")
	if code != 0 || !strings.Contains(adapted, "MY_KEY") {
		t.Fatalf("adapt: exit %d %s", code, complaints)
	}
	_, privateKey, _ := strings.Cut(ownKeyEnv(), "=")
	secrets := map[string]string{"encryption key": key, "older key": older, "redis password": redisPassword,
		"private key": privateKey[:60],
		"password":    piaPassword, "first admin's password": adminPassword, "session cookie": person.session(),
		"access token": token.Access, "refresh token": token.Refresh}
	for where, text := range map[string]string{"GET /config/": string(config), "autosave.json": string(autosave),
		"adapt": adapted + complaints, "the log": s.g.Log()} {
		for what, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows the %s", where, what)
			}
		}
	}
}

// AU-07 a secret in the configuration itself would be readable in GET /config/: it is refused with its place,
// and the error does not repeat it.
func TestSecretInTheConfigurationItselfIsRefused(t *testing.T) {
	const secret = "hunter2hunter2hunter2hunter2hunt"
	for name, option := range map[string]string{
		"encryption_key": "encryption_key " + secret,
		"older key":      "encryption_key {env.TRUXE_ENCRYPTION_KEY} " + secret,
		"private_key":    "jwt {\n\t\t\tprivate_key " + secret + "\n\t\t}",
		"storage":        "storage postgres postgres://truxe:" + secret + "@127.0.0.1/truxe",
		"storage, DSN":   `storage postgres "host=127.0.0.1 user=truxe password=` + secret + `"`,
		"redis":          "redis redis://:" + secret + "@127.0.0.1:6379/0",
		"smtp":           "smtp smtp://truxe:" + secret + "@mail.example.com {\n\t\t\tfrom a@example.com\n\t\t}",
		"from {$NAME}":   "encryption_key {$SECRET_IN_ENVIRONMENT}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, code, _ := rig.Validate(t, fmt.Sprintf("{\n\ttruxe {\n\t\t%s\n\t}\n}\nlocalhost {\n\ttruxe\n}\n", option),
				"SECRET_IN_ENVIRONMENT="+secret, "TRUXE_ENCRYPTION_KEY="+freshKey())
			if code == 0 || !strings.Contains(out, "{env.") || !strings.Contains(out, "Caddyfile:") ||
				strings.Contains(out, secret) {
				t.Errorf("exit %d: %s", code, out)
			}
		})
	}
}
