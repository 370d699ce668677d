package rig

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/timebound"
)

// Validate runs `caddy validate` on a Caddyfile in a new folder: its output, its exit code, and the home in which it
// would have left something.
func Validate(t testing.TB, caddyfile string, env ...string) (output string, code int, home string) {
	t.Helper()
	dir := tempDir(t)
	home = filepath.Join(dir, "home")
	file := filepath.Join(dir, "Caddyfile")
	for _, err := range []error{os.MkdirAll(home, 0o700), os.WriteFile(file, []byte(caddyfile), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), timebound.Limit(30*time.Second))
	defer cancel()
	cmd := exec.CommandContext(ctx, Build(t), "validate", "--config", file, "--adapter", "caddyfile")
	cmd.Dir, cmd.Env = dir, append(append(cleanEnv(), "HOME="+home, "XDG_DATA_HOME="+home+"/data",
		"XDG_CONFIG_HOME="+home+"/config"), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run()
	return out.String(), cmd.ProcessState.ExitCode(), home
}
