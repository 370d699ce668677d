package pgtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/program"
)

// Pooled puts a real PgBouncer with its default settings between a test and a fresh database: mode is session or
// transaction. It gives the database's connection string through the pooler.
func Pooled(t testing.TB, mode string) string {
	t.Helper()
	bin, err := program.Find("pgbouncer")
	if err != nil {
		t.Fatal(err)
	}
	direct := Database(t)
	name := direct[strings.LastIndexByte(direct, '/')+1 : strings.IndexByte(direct, '?')]
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	parent, err := program.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(parent, "truxe-pgbouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	mu.Lock()
	server := shared.port
	mu.Unlock()
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\npool_mode = %s\nserver_login_retry = 1\n",
		server, port, mode)
	cred, err := program.Unprivileged() // PgBouncer refuses to run as root
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{os.WriteFile(config, []byte(text), 0o644), os.Chmod(dir, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(bin, config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	cmd.Dir = dir
	ended, err := program.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatalf("start PgBouncer: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			break
		} else if time.Now().After(end) {
			t.Fatalf("PgBouncer does not answer: %v", err)
		}
	}
	return "postgres://postgres@" + addr + "/" + name + "?sslmode=disable"
}
