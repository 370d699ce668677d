package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// hostile is a secret with every character that has a meaning in a URL, a connection string or a Caddyfile; pieces are
// what no output may contain.
const hostile = "Zq7x@VkWp/9Jr2#Bn8t?Ym3c"

var pieces = []string{"zq7x", "vkwp", "9jr2", "bn8t", "ym3c"}

// secretOptions bear the secret, from the environment and in the configuration itself. SECRET is replaced.
var secretOptions = map[string]string{
	"postgres URL":                   "storage postgres postgres://app:SECRET@127.0.0.1/shop",
	"postgres URL, user":             "storage postgres postgres://SECRET@127.0.0.1/shop",
	"postgres URL, whole":            "storage postgres SECRET",
	"postgres URL, parameter":        "storage postgres postgres://127.0.0.1/shop?password=SECRET",
	"postgres URL, name of one":      "storage postgres postgres://127.0.0.1/shop?SECRET",
	"postgres URL, scheme":           "storage postgres mysql://app:SECRET@127.0.0.1/shop",
	"postgres keywords, open quote":  "storage postgres \"host=127.0.0.1 user=app password='SECRET dbname=shop\"",
	"postgres keywords, two words":   "storage postgres \"host=127.0.0.1 user=app password=a SECRET=b\"",
	"postgres, split by a space":     "storage postgres postgres://app:a SECRET@127.0.0.1/shop",
	"storage without its word":       "storage postgres://app:SECRET@127.0.0.1/shop",
	"storage of another kind":        "storage mysql mysql://app:SECRET@127.0.0.1/shop",
	"a URL as the file of sqlite":    "storage sqlite postgres://app:SECRET@127.0.0.1/shop",
	"redis URL":                      "redis redis://:SECRET@127.0.0.1:6379/0",
	"redis URL, user":                "redis redis://SECRET:x@127.0.0.1:6379/0",
	"redis URL, whole":               "redis SECRET",
	"redis URL, name of a parameter": "redis redis://127.0.0.1:6379/0?SECRET",
	"redis URL, sentinel":            "redis redis+sentinel://127.0.0.1/m?sentinel_password=SECRET&x=",
	"redis, split by a space":        "redis redis://:a SECRET@127.0.0.1:6379/0",
	"smtp URL":                       "smtp smtp://app:SECRET@mail.example.com {\n\t\t\tfrom a@example.com\n\t\t}",
	"smtp URL, name of a parameter":  "smtp smtp://mail.example.com?SECRET {\n\t\t\tfrom a@example.com\n\t\t}",
	"smtp, split by a space":         "smtp smtp://app:a SECRET@mail.example.com {\n\t\t\tfrom a@example.com\n\t\t}",
	"encryption key":                 "encryption_key SECRET",
	"older encryption key":           "encryption_key {env.GOOD_KEY} SECRET",
	"private key":                    "jwt {\n\t\t\tprivate_key SECRET\n\t\t}",
	"private key of several words":   "jwt {\n\t\t\tprivate_key -----BEGIN SECRET KEY-----\n\t\t}",
	"private key of several lines":   "jwt {\n\t\t\tprivate_key {env.GOOD_KEY}\n\t\t\tSECRET\n\t\t}",
	"jwks URL":                       "jwt {\n\t\t\ttrust https://idp.example.com {\n\t\t\t\tjwks https://app:SECRET@127.0.0.1:1/jwks\n\t\t\t\taudience x\n\t\t\t}\n\t\t}",
	"half a placeholder":             "redis redis://:{env.GOOD_KEY}SECRET@127.0.0.1:6379/0",
	"a malformed placeholder":        "redis redis://:{SECRET}@127.0.0.1:6379/0",
	"users file":                     "users_file USERS",
}

func hides(t *testing.T, where, text string) {
	t.Helper()
	folded := strings.ToLower(text)
	for _, piece := range pieces {
		if strings.Contains(folded, piece) {
			t.Errorf("%s shows %q: %s", where, piece, text)
			return
		}
	}
	for _, word := range []string{"lookup ", "dial tcp"} {
		if strings.Contains(folded, word) {
			t.Errorf("%s: the network was asked: %s", where, text)
		}
	}
}

// ED-09 A9: no error about a connection string, URL, key or file contains any part of a secret, whatever is wrong with
// it: in `caddy validate`, in `caddy adapt` and at the command line. Nothing of it is looked up as a name. Running
// gateways: TestRunningGatewayShowsNoPartOfASecret.
func TestErrorsShowNoPartOfASecret(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users.yaml")
	for name, option := range secretOptions {
		for form, value := range secretForms(t) {
			t.Run(name+", "+form, func(t *testing.T) {
				text := strings.ReplaceAll(strings.ReplaceAll(option, "SECRET", value), "USERS", users)
				if option == "users_file USERS" {
					for _, broken := range []string{"users:\n  - username: app\n    password_hash: SECRET\n",
						"users:\n  - SECRET: x\n", "users: *SECRET\n", "users:\n  - username: app\n  password_hash: 'SECRET\n",
						"SECRET"} {
						if err := os.WriteFile(users, []byte(strings.ReplaceAll(broken, "SECRET", hostile)), 0o600); err != nil {
							t.Fatal(err)
						}
						refusesUnseen(t, text)
					}
					return
				}
				refusesUnseen(t, text)
			})
		}
	}
}

func secretFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(hostile+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// complete adds what an option needs beside it.
func complete(option string) string {
	if strings.Contains(option, "storage postgres") {
		return "encryption_key {env.GOOD_KEY}\n\t\tredis redis://127.0.0.1:1/0\n\t\t" + option
	}
	return option
}

// refusesUnseen passes an option to every command that reads a configuration. All must refuse it, and show nothing.
func refusesUnseen(t *testing.T, option string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf("{\n\tadmin 127.0.0.1:%d\n\ttruxe {\n\t\t%s\n\t}\n}\napp.test {\n\ttruxe\n}\n", rig.Port(t),
		complete(option))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, int) {
		cmd := exec.Command(rig.Build(t), args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "SECRET="+hostile,
			"GOOD_KEY="+freshKey())
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		_ = cmd.Run()
		return out.String(), cmd.ProcessState.ExitCode()
	}
	out, code := run("validate", "--config", file, "--adapter", "caddyfile")
	hides(t, "validate", out)
	if code == 0 {
		t.Errorf("validate took it: %s", out)
	}
	out, _ = run("adapt", "--config", file, "--adapter", "caddyfile")
	hides(t, "adapt", out)
	out, code = run("truxe", "users", "list", "--config", file)
	hides(t, "the command line", out)
	if code == 0 {
		t.Error("the command line took it")
	}
}
