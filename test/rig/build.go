package rig

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// builds remembers the binary for the test process.
var builds = sync.OnceValues(func() (string, error) {
	if ready := os.Getenv("TRUXE_TEST_BINARY"); ready != "" {
		_, err := os.Stat(ready)
		return ready, err
	}
	bin := filepath.Join(Root(), "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	// Packages are tested in parallel processes: one builds, the others find the result up to date.
	lock, err := os.OpenFile(filepath.Join(bin, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	out := filepath.Join(bin, "caddy")
	cmd := exec.Command(filepath.Join(Root(), "scripts", "build-caddy"), out)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{err, string(text)}
	}
	return out, nil
})

type buildError struct {
	err    error
	output string
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.output }

// Build returns the path of the gateway's binary, built once per test process with the flags of `make build`. The
// environment's TRUXE_TEST_BINARY names one that is already built (`make test` sets it).
func Build(t testing.TB) string {
	t.Helper()
	bin, err := builds()
	if err != nil {
		t.Fatalf("build the gateway: %v", err)
	}
	return bin
}
