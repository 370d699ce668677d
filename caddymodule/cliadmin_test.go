package caddymodule

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/regular"
)

// ED-10 the configuration that a command reads is a regular file and bounded.
func TestConfigurationOfACommandIsBounded(t *testing.T) {
	dir := t.TempDir()
	big, small := filepath.Join(dir, "big.json"), filepath.Join(dir, "Caddyfile")
	if err := errors.Join(os.WriteFile(big, nil, 0o600), os.Truncate(big, 3<<30),
		os.WriteFile(small, []byte("{\n\tadmin off\n}\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var size *regular.SizeError
	if _, err := adapt(big, ""); !errors.As(err, &size) {
		t.Errorf("3 GiB: %v", err)
	}
	for _, file := range []string{dir, "/dev/zero"} {
		if _, err := adapt(file, ""); !errors.Is(err, regular.ErrNotRegular) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if config, err := adapt(small, ""); err != nil || len(config) == 0 {
		t.Errorf("control: %v", err)
	}
}
