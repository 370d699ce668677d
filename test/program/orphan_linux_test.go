package program

import (
	"os"
	"testing"
)

// A test process that gets SIGKILL takes its PostgreSQL server along. Control: the server is running before.
func TestServerOfAKilledTestProcessEnds(t *testing.T) {
	parent, err := TempDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(parent, "truxe-program-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if cred, err := Unprivileged(); err != nil {
		t.Fatal(err)
	} else if cred != nil {
		if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	cmd, pids := again(t, "postgres", 1, "TRUXE_TEST_PROGRAM_DIR="+dir)
	if !alive(pids[0]) {
		t.Fatal("control: the server is not running")
	}
	_ = cmd.Process.Kill()
	ends(t, "PostgreSQL", pids[0])
}
