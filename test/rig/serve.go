package rig

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/program"
)

// Program returns the command of a program that the machine must have.
func Program(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := program.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, args...)
}

// Serve starts a server in the foreground and waits until it accepts connections on the loopback port. It is killed
// with the test, so it must have no processes of its own. Its output is shown when the test has failed.
func Serve(t testing.TB, port int, cmd *exec.Cmd) {
	t.Helper()
	p := start(t, filepath.Base(cmd.Path), cmd, syscall.SIGKILL)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s:\n%s", p.name, p.log.tail(4000))
		}
	})
	WaitFor(t, 30*time.Second, p.name+" accepts connections", func() bool {
		if !p.running() {
			t.Fatalf("%s ended", p.name)
		}
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		return err == nil && conn.Close() == nil
	})
}
