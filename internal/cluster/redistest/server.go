// Package redistest starts real Redis servers for tests and puts faults between them and the code under test.
package redistest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/truxeio/caddy-truxe/test/program"
)

// Server is one redis-server of a test, on loopback, without persistence.
type Server struct {
	t    testing.TB
	port int
	dir  string
	args []string
	cmd  *exec.Cmd
	done <-chan struct{} // closed when cmd has ended
}

// Start runs redis-server on a free port with extra arguments, e.g. "--maxmemory", "1mb". It ends with the test.
// A machine without redis-server fails the test: nothing is skipped.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatalf("redis-server is needed (apt-get install redis-server): %v", err)
	}
	s := &Server{t: t, port: FreePort(t), dir: t.TempDir(), args: args}
	t.Cleanup(s.Stop)
	s.Restart()
	return s
}

// FreePort finds a port without a listener.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the address as the Caddyfile has it.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Restart starts the server, again and empty if it ran before, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	args := append([]string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "",
		"--appendonly", "no", "--daemonize", "no", "--logfile", filepath.Join(s.dir, "redis.log")}, s.args...)
	s.run(args...)
}

// run starts redis-server with exactly these arguments and waits until it answers.
func (s *Server) run(args ...string) {
	s.t.Helper()
	cmd := exec.Command("redis-server", args...)
	done, err := program.Start(cmd, syscall.SIGKILL)
	if err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	s.cmd, s.done = cmd, done
	s.waitFor(s.Addr())
}

func (s *Server) waitFor(addr string) {
	s.t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		probe, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		probe.Close()
		c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true})
		err = c.Ping(context.Background()).Err()
		c.Close()
		if err == nil || strings.HasPrefix(err.Error(), "NOAUTH") {
			return
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "redis.log"))
	s.t.Fatalf("redis-server did not answer: %s", log)
}

// Stop kills the server, as a crash would. It may be called twice.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
}

// Freeze stops the process without closing its connections: it is silent, not gone.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// FlushAll empties the server.
func (s *Server) FlushAll() { s.t.Helper(); s.Do("FLUSHALL") }

// Do runs any command as administrator and returns its reply; absent is nil.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), DisableIdentity: true})
	defer c.Close()
	reply, err := c.Do(context.Background(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		s.t.Fatalf("redis %v: %v", args[0], err)
	}
	return reply
}

// StartCluster runs a Redis Cluster of one server that owns all slots.
func StartCluster(t testing.TB) *Server {
	t.Helper()
	s := Start(t, "--cluster-enabled", "yes")
	s.Do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		c := redis.NewClient(&redis.Options{Addr: s.Addr(), DisableIdentity: true})
		err := c.Set(context.Background(), "ready", "1", time.Second).Err()
		c.Close()
		if err == nil {
			return s
		}
	}
	t.Fatal("redis cluster did not become ready")
	return nil
}

// StartSentinel runs a sentinel that watches master under the name "main"; its Addr is the sentinel's.
func StartSentinel(t testing.TB, master *Server) *Server {
	t.Helper()
	s := &Server{t: t, port: FreePort(t), dir: t.TempDir()}
	conf := filepath.Join(s.dir, "sentinel.conf")
	text := "port " + strconv.Itoa(s.port) + "\nbind 127.0.0.1\n" +
		"dir " + s.dir + "\nlogfile " + filepath.Join(s.dir, "redis.log") +
		"\nsentinel monitor main 127.0.0.1 " + strconv.Itoa(master.port) +
		" 1\nsentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	s.run(conf, "--sentinel")
	return s
}
