package rig

import (
	"context"
	"crypto/rand"
	"fmt"
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

// PostgresServer is a real PostgreSQL server on a free loopback port, without fsync. It trusts its only user, postgres.
type PostgresServer struct {
	bin, dir string
	port     int
	cred     *syscall.Credential // initdb and postgres refuse to run as root
	proc     *process
}

var shared struct {
	sync.Mutex
	server *PostgresServer
}

// Postgres returns the server that all tests of the package use, each with a Database of its own. It ends with
// Main. Tests that stop or freeze a server take OwnPostgres.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		p := initPostgres(t)
		atEnd(t, p.remove)
		p.Start(t)
		shared.server = p
	}
	return shared.server
}

// OwnPostgres starts a server that ends with the test.
func OwnPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	p := initPostgres(t)
	t.Cleanup(func() {
		if t.Failed() && p.proc != nil {
			t.Logf("postgres:\n%s", p.proc.log.tail(4000))
		}
		p.remove()
	})
	p.Start(t)
	return p
}

// initPostgres creates the data folder. The server does not run yet.
func initPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	bin, err := program.Postgres()
	must(t, "find PostgreSQL", err)
	cred, err := program.Unprivileged()
	must(t, "find a user for PostgreSQL", err)
	parent, err := program.TempDir()
	must(t, "find a folder for PostgreSQL", err)
	p := &PostgresServer{bin: bin, port: Port(t), cred: cred}
	p.dir, err = os.MkdirTemp(parent, "truxe-pg-")
	must(t, "make a temporary folder", err)
	if p.cred != nil {
		if err := os.Chown(p.dir, int(p.cred.Uid), int(p.cred.Gid)); err != nil {
			t.Fatalf("give the data folder to the server's user: %v", err)
		}
	}
	cmd := p.command("initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
		"--no-instructions")
	if text, err := cmd.CombinedOutput(); err != nil {
		_ = os.RemoveAll(p.dir)
		t.Fatalf("initdb: %v\n%s", err, text)
	}
	return p
}

func (p *PostgresServer) data() string { return filepath.Join(p.dir, "data") }

func (p *PostgresServer) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+p.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred}
	return cmd
}

// Start starts the server, again after Stop or Kill, on the same port and data, and waits until it answers.
func (p *PostgresServer) Start(t testing.TB) {
	t.Helper()
	cmd := p.command("postgres", "-D", p.data(), "-p", strconv.Itoa(p.port), "-F",
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "full_page_writes=off",
		"-c", "synchronous_commit=off", "-c", "shared_buffers=32MB", "-c", "max_connections=200")
	// SIGQUIT is the immediate shutdown, which also takes the server's children along.
	p.proc = start(t, "postgres", cmd, syscall.SIGQUIT)
	WaitFor(t, 30*time.Second, "postgres answers", func() bool {
		if !p.proc.running() {
			t.Fatalf("postgres ended:\n%s", p.proc.log.tail(4000))
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, p.DSN("postgres"))
		if err != nil {
			return false
		}
		return conn.Close(ctx) == nil
	})
}

// Addr is host:port.
func (p *PostgresServer) Addr() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

// DSN is what the Caddyfile's `storage postgres` takes for the database named.
func (p *PostgresServer) DSN(database string) string {
	return "postgres://postgres@" + p.Addr() + "/" + database + "?sslmode=disable"
}

// Database creates an empty database, dropped with the test, and returns its DSN.
func (p *PostgresServer) Database(t testing.TB) string {
	t.Helper()
	name := "t_" + strings.ToLower(rand.Text())
	p.Exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		if p.proc.running() {
			p.Exec(t, "DROP DATABASE "+name+" WITH (FORCE)")
		}
	})
	return p.DSN(name)
}

// Exec runs one statement as the server's superuser in its database postgres.
func (p *PostgresServer) Exec(t testing.TB, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.DSN("postgres"))
	if err != nil {
		t.Fatalf("connect to postgres: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Stop ends the server in order but at once: open connections are cut (SIGINT, the fast shutdown).
func (p *PostgresServer) Stop() { p.proc.stop(syscall.SIGINT, 10*time.Second) }

// Kill ends the server without a checkpoint (SIGQUIT, the immediate shutdown): the next start recovers from the log.
func (p *PostgresServer) Kill() { p.proc.stop(syscall.SIGQUIT, 5*time.Second) }

func (p *PostgresServer) remove() {
	if p.proc != nil {
		p.Kill()
	}
	_ = os.RemoveAll(p.dir)
}
