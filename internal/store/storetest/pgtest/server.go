// Package pgtest starts one real PostgreSQL server per test process, with a fresh database for each test.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/truxeio/caddy-truxe/test/program"
)

// Server is a running server on a free loopback port. It trusts its only user, postgres.
type Server struct {
	dir  string
	port int
	cmd  *exec.Cmd
	done <-chan struct{}
}

var (
	mu     sync.Mutex
	shared *Server
)

// Main runs a package's tests and then ends the server they used. Call it from TestMain.
func Main(m *testing.M) int {
	program.ExitWithParent()
	code := m.Run()
	mu.Lock()
	defer mu.Unlock()
	if shared != nil {
		shared.stop()
	}
	return code
}

// Database creates an empty database, dropped with the test, and gives its connection string.
func Database(t testing.TB) string {
	t.Helper()
	mu.Lock()
	if shared == nil {
		s, err := start()
		if err != nil {
			mu.Unlock()
			t.Fatalf("start PostgreSQL: %v", err)
		}
		shared = s
	}
	s := shared
	mu.Unlock()
	name := "t_" + strings.ToLower(rand.Text())
	s.Exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { s.Exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return s.dsn(name)
}

func (s *Server) dsn(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Exec runs a statement as superuser.
func (s *Server) Exec(t testing.TB, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn("postgres"))
	if err != nil {
		t.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func start() (*Server, error) {
	bin, err := program.Postgres()
	if err != nil {
		return nil, err
	}
	cred, err := program.Unprivileged()
	if err != nil {
		return nil, err
	}
	parent, err := program.TempDir()
	if err != nil {
		return nil, err
	}
	s := &Server{}
	if s.dir, err = os.MkdirTemp(parent, "truxe-pg-"); err != nil {
		return nil, err
	}
	if cred != nil {
		if err := os.Chown(s.dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return nil, err
		}
	}
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(bin, name), args...)
		c.Dir, c.Env = s.dir, append(os.Environ(), "LC_ALL=C", "HOME="+s.dir)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setpgid: true}
		return c
	}
	data := filepath.Join(s.dir, "data")
	if out, err := command("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
		"--no-sync").CombinedOutput(); err != nil {
		_ = os.RemoveAll(s.dir)
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	s.cmd = command("postgres", "-D", data, "-p", strconv.Itoa(s.port), "-F", "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "full_page_writes=off", "-c", "shared_buffers=32MB", "-c",
		"max_connections=200")
	logFile, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	s.cmd.Stdout, s.cmd.Stderr = logFile, logFile
	// SIGQUIT is the immediate shutdown, which also ends the server's children.
	if s.done, err = program.Start(s.cmd, syscall.SIGQUIT); err != nil {
		return nil, err
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, s.dsn("postgres"))
		if err == nil {
			_ = conn.Close(ctx)
			cancel()
			return s, nil
		}
		cancel()
		select {
		case <-s.done:
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return nil, fmt.Errorf("postgres ended at once:\n%s", text)
		default:
		}
	}
	s.stop()
	return nil, fmt.Errorf("postgres does not answer within 30 s")
}

// stop is the immediate shutdown.
func (s *Server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	_ = os.RemoveAll(s.dir)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
