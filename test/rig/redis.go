package rig

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// RedisServer is a real redis-server on a free loopback port, without snapshots: a restart has lost everything unless
// it was started with "--appendonly", "yes".
type RedisServer struct {
	t    testing.TB
	dir  string
	port int
	args []string
	proc *process
}

// Redis starts a redis-server that ends with the test. args are further server options ("--maxmemory", "1mb").
func Redis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	r := &RedisServer{t: t, dir: tempDir(t), port: Port(t), args: args}
	t.Cleanup(func() {
		r.Kill()
		if t.Failed() {
			t.Logf("redis-server:\n%s", r.proc.log.tail(4000))
		}
	})
	r.Start()
	return r
}

// Start starts the server, again after Stop or Kill, on the same port and folder, and waits until it answers.
func (r *RedisServer) Start() {
	r.t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		r.t.Fatalf("redis-server is missing; scripts/install-test-deps installs it: %v", err)
	}
	args := append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(r.port), "--dir", r.dir, "--save", "",
		"--daemonize", "no"}, r.args...)
	r.proc = start(r.t, "redis-server", exec.Command(bin, args...), syscall.SIGKILL)
	client := r.Client()
	WaitFor(r.t, 10*time.Second, "redis-server answers", func() bool {
		if !r.proc.running() {
			r.t.Fatalf("redis-server ended:\n%s", r.proc.log.tail(4000))
		}
		err := client.Ping(context.Background()).Err()
		return err == nil || strings.HasPrefix(err.Error(), "NOAUTH")
	})
}

// Addr is host:port.
func (r *RedisServer) Addr() string { return fmt.Sprintf("127.0.0.1:%d", r.port) }

// URL is what the Caddyfile's `redis` option takes, database 0.
func (r *RedisServer) URL() string { return "redis://" + r.Addr() + "/0" }

// Client is a client of its own that ends with the test.
func (r *RedisServer) Client() *redis.Client {
	c := redis.NewClient(&redis.Options{
		Addr:                     r.Addr(),
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Do runs one command, such as Do("FLUSHALL"), and gives its reply as text. A Redis error fails the test.
func (r *RedisServer) Do(words ...any) string {
	r.t.Helper()
	c := redis.NewClient(&redis.Options{Addr: r.Addr(),
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	defer c.Close()
	reply, err := c.Do(context.Background(), words...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		r.t.Fatalf("redis %v: %v", words, err)
	}
	return fmt.Sprint(reply)
}

// Stop ends the server in order (SIGTERM).
func (r *RedisServer) Stop() { r.proc.stop(syscall.SIGTERM, 5*time.Second) }

// Kill is kill -9.
func (r *RedisServer) Kill() { r.proc.kill() }

// Restart is Stop, then Start.
func (r *RedisServer) Restart() {
	r.t.Helper()
	r.Stop()
	r.Start()
}

// Freeze stops the process without closing a connection (SIGSTOP): a server that hangs.
func (r *RedisServer) Freeze() { r.must("freeze", r.proc.signal(syscall.SIGSTOP)) }

// Thaw ends Freeze (SIGCONT).
func (r *RedisServer) Thaw() { r.must("thaw", r.proc.signal(syscall.SIGCONT)) }

func (r *RedisServer) must(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s redis-server: %v", what, err)
	}
}
