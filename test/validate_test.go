package test

import (
	"crypto/rand"
	"encoding/base64"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// Every mistake of a configuration is found by `caddy validate`, which says where and what to do.
func TestValidateFindsMistakes(t *testing.T) {
	const app = "app.example.com {\n\ttruxe\n\trespond ok\n}\n"
	for name, c := range map[string]struct {
		caddyfile string
		says      []string
	}{
		"plain http": {"http://app.example.com {\n\ttruxe\n\trespond ok\n}\n",
			[]string{"app.example.com", "https"}},
		"no site for the portal": {"{\n\ttruxe {\n\t\tportal auth.example.com\n\t}\n}\n" + app,
			[]string{"auth.example.com"}},
		"postgres without a key": {"{\n\ttruxe {\n\t\tstorage postgres postgres://u@127.0.0.1:1/db\n\t\tredis redis://127.0.0.1:1/0\n\t}\n}\n" + app, []string{"encryption_key"}},
		"postgres without redis": {"{\n\ttruxe {\n\t\tstorage postgres postgres://u@127.0.0.1:1/db\n\t\tencryption_key {env.TRUXE_ENCRYPTION_KEY}\n\t}\n}\n" + app, []string{"redis"}},
		"a key of 12 bytes": {"{\n\ttruxe {\n\t\tencryption_key {env.SHORT_KEY}\n\t}\n}\n" + app,
			[]string{"encryption_key", "12 bytes, needs 32"}},
		"a secret that is not set": {"{\n\ttruxe {\n\t\tencryption_key {env.TRUXE_NOT_THERE}\n\t}\n}\n" + app,
			[]string{"encryption_key", "TRUXE_NOT_THERE"}},
		"an unknown word": {"app.example.com {\n\ttruxe {\n\t\tpubilc /healthz\n\t}\n\trespond ok\n}\n",
			[]string{`"public"`, "Caddyfile:"}},
		"an unknown global word": {"{\n\ttruxe {\n\t\tpotral auth.example.com\n\t}\n}\n" + app,
			[]string{`"portal"`, "Caddyfile:"}},
		"a bad duration": {"{\n\ttruxe {\n\t\tsession {\n\t\t\tidle 1hour\n\t\t}\n\t}\n}\n" + app,
			[]string{"idle", "Caddyfile:"}},
		"idle beyond the end": {"{\n\ttruxe {\n\t\tsession {\n\t\t\tidle 2h\n\t\t\tmax 1h\n\t\t}\n\t}\n}\n" + app,
			[]string{"idle", "max"}},
		"a hash that is too cheap": {"{\n\ttruxe {\n\t\tpassword {\n\t\t\thash bcrypt 4\n\t\t}\n\t}\n}\n" + app,
			[]string{"10"}},
		"an unknown factor": {"app.example.com {\n\ttruxe {\n\t\trequire 2fa\n\t}\n\trespond ok\n}\n",
			[]string{"require what?", "`require mfa`", "Caddyfile:3"}},
		"a max_age without a unit": {"app.example.com {\n\ttruxe {\n\t\trequire mfa max_age 600\n\t}\n\trespond ok\n}\n",
			[]string{"max_age", "15m", "Caddyfile:3"}},
		"a malformed network": {"app.example.com {\n\ttruxe {\n\t\trequire network 10.0.0.0/33\n\t}\n\trespond ok\n}\n",
			[]string{"10.0.0.0/33", "Caddyfile:3"}},
		"an assertion of maybe": {"app.example.com {\n\ttruxe {\n\t\tassertion maybe\n\t}\n\trespond ok\n}\n",
			[]string{`assertion cannot be "maybe"`, "Caddyfile:3"}},
		"a header that steers": {"app.example.com {\n\ttruxe {\n\t\theader Connection x\n\t}\n\trespond ok\n}\n",
			[]string{"Connection"}},
		"a users file not there": {"{\n\ttruxe {\n\t\tusers_file /nowhere/users.yaml\n\t}\n}\n" + app,
			[]string{"users_file", "/nowhere/users.yaml"}},
		"a trusted issuer, no keys": {"{\n\ttruxe {\n\t\tjwt {\n\t\t\ttrust https://idp.example.com {\n\t\t\t\taudience x\n\t\t\t}\n\t\t}\n\t}\n}\n" + app, []string{"jwks"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, code, _ := rig.Validate(t, c.caddyfile, "TRUXE_ENCRYPTION_KEY="+freshKey(), "SHORT_KEY=MDEyMzQ1Njc4OTAx")
			if code == 0 {
				t.Fatalf("taken: %s", out)
			}
			for _, word := range c.says {
				if !strings.Contains(strings.ReplaceAll(out, `\"`, `"`), word) {
					t.Errorf("%q is not in: %s", word, out)
				}
			}
		})
	}
	if out, code, _ := rig.Validate(t, app); code != 0 {
		t.Errorf("a good one is refused: %s", out)
	}
}

// freshKey is an encryption key.
func freshKey() string {
	var key [32]byte
	_, _ = rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:])
}

// R11 `caddy validate` reads configuration files and touches nothing else: no file is made, no database or Redis asked.
func TestValidateTouchesNeitherDiskNorNetwork(t *testing.T) {
	asked := make(chan string, 10)
	listen := func(name string) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ln.Close() })
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				asked <- name
				_ = c.Close()
			}
		}()
		return ln.Addr().String()
	}
	postgres, redis, issuer := listen("PostgreSQL"), listen("Redis"), listen("the trusted issuer")
	out, code, home := rig.Validate(t, "{\n\ttruxe {\n\t\tstorage postgres postgres://u@"+postgres+
		"/db\n\t\tredis redis://"+redis+"/0\n\t\tencryption_key {env.TRUXE_ENCRYPTION_KEY}\n"+
		"\t\tjwt {\n\t\t\ttrust https://idp.example.com {\n\t\t\t\tjwks http://"+issuer+
		"/jwks.json\n\t\t\t\taudience x\n\t\t\t}\n\t\t}\n\t}\n}\napp.example.com {\n\ttruxe\n\trespond ok\n}\n",
		"TRUXE_ENCRYPTION_KEY="+freshKey())
	if code != 0 {
		t.Fatalf("refused: %s", out)
	}
	_, code, home2 := rig.Validate(t, "app.example.com {\n\ttruxe\n\trespond ok\n}\n")
	if code != 0 {
		t.Fatal("the shortest configuration is refused")
	}
	time.Sleep(300 * time.Millisecond)
	select {
	case who := <-asked:
		t.Errorf("%s was asked", who)
	default:
	}
	for _, dir := range []string{home, home2} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || strings.Contains(strings.TrimPrefix(path, dir), "truxe") {
				t.Errorf("validate made %s (%v)", path, err)
			}
			return nil
		})
	}
}
