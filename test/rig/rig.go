// Package rig starts the real parts the black-box tests need: the gateway's binary, redis-server, PostgreSQL, a
// recording upstream and Chromium. Everything listens on loopback, on a free port, with its files in a temporary folder
// of its own, and is stopped by its process id.
//
// A missing part fails the test: nothing skips. Redis, Gateway, Echo and Browser end with the test that asked for them;
// the PostgreSQL server is shared by a package's tests, which therefore needs
//
//	func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }
package rig

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/program"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// mains is what Main ends after the last test of the package.
var mains struct {
	sync.Mutex
	running bool
	ends    []func()
}

// Main runs a package's tests and then stops what they shared. The result is the process's exit code.
func Main(m *testing.M) int {
	program.ExitWithParent()
	mains.Lock()
	mains.running = true
	mains.Unlock()
	code := m.Run()
	mains.Lock()
	defer mains.Unlock()
	for _, end := range mains.ends {
		end()
	}
	return code
}

// atEnd has f run by Main; the test fails when its package has no such TestMain.
func atEnd(t testing.TB, f func()) {
	t.Helper()
	mains.Lock()
	defer mains.Unlock()
	if !mains.running {
		t.Fatal("this package needs: func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }")
	}
	mains.ends = append(mains.ends, f)
}

// Root is the folder of the repository.
func Root() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		panic("rig: no caller information")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// tempDir is a short-named temporary folder (t.TempDir's long names overflow the 104 bytes of a unix socket's path).
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "truxe-")
	if err != nil {
		t.Fatalf("make a temporary folder: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// WaitFor polls until ok reports true. The bound is judged on a quiet machine only, see package timebound; the test
// fails when the event does not come at all.
func WaitFor(t testing.TB, bound time.Duration, what string, ok func() bool) {
	t.Helper()
	start := time.Now()
	if !poll(timebound.Limit(bound), ok) {
		t.Fatalf("not within %v: %s", timebound.Limit(bound), what)
	}
	timebound.Check(t, what, time.Since(start), bound)
}

// poll calls ok until it reports true, at first often: a call may be work for a browser.
func poll(limit time.Duration, ok func() bool) bool {
	pause := 5 * time.Millisecond
	for end := time.Now().Add(limit); ; time.Sleep(pause) {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
		pause = min(pause*5/4, 60*time.Millisecond)
	}
}
