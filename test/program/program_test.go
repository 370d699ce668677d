package program

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/timebound"
)

// role is what this program does when a test of this package starts it again.
const role = "TRUXE_TEST_PROGRAM_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "postgres": // a test process with a PostgreSQL server
		fmt.Println(startPostgres(os.Getenv("TRUXE_TEST_PROGRAM_DIR")))
		select {}
	case "go test": // the parent of a test process
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), role+"=watching")
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Println(child.Process.Pid)
		_ = child.Wait()
	case "watching": // a test process with a child
		ExitWithParent()
		sleep := exec.Command("sleep", "1000")
		if _, err := Start(sleep, syscall.SIGKILL); err != nil {
			panic(err)
		}
		fmt.Println(sleep.Process.Pid)
		select {}
	default:
		os.Exit(m.Run())
	}
}

// startPostgres starts a server below dir and returns its process id when it is ready.
func startPostgres(dir string) string {
	bin, err := Postgres()
	if err != nil {
		panic(err)
	}
	cred, err := Unprivileged()
	if err != nil {
		panic(err)
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C", "HOME="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setpgid: true}
		return cmd
	}
	if out, err := run("initdb", "-D", dir+"/data", "-A", "trust", "--no-sync").CombinedOutput(); err != nil {
		panic(string(out))
	}
	server := run("postgres", "-D", dir+"/data", "-c", "listen_addresses=", "-c", "unix_socket_directories="+dir)
	if _, err := Start(server, syscall.SIGQUIT); err != nil {
		panic(err)
	}
	for ; ; time.Sleep(10 * time.Millisecond) { // the last line of the file says when connections are accepted
		if text, _ := os.ReadFile(dir + "/data/postmaster.pid"); strings.Contains(string(text), "ready") {
			return strconv.Itoa(server.Process.Pid)
		}
	}
}

// again starts this program in a role and returns the process ids that it prints.
func again(t *testing.T, as string, ids int, env ...string) (*exec.Cmd, []int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), role+"="+as), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) < ids && lines.Scan(); {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(lines.Text())
		}
		pids = append(pids, pid)
	}
	if len(pids) < ids {
		t.Fatalf("%s printed %d process ids", as, len(pids))
	}
	return cmd, pids
}

// ends waits until a process has ended. One that has not been waited for yet has.
func ends(t *testing.T, what string, pid int) {
	t.Helper()
	began := time.Now()
	for time.Since(began) < timebound.Limit(10*time.Second) {
		if !alive(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	t.Errorf("%s is still running", what)
}

func alive(pid int) bool {
	out, _ := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	state := strings.TrimSpace(string(out))
	return state != "" && state[0] != 'Z'
}

// A test process ends when `go test` is killed, and so do its children. Control: they are running before.
func TestTestProcessEndsWithItsParent(t *testing.T) {
	cmd, pids := again(t, "go test", 2)
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("control: process %d is not running", pid)
		}
	}
	_ = cmd.Process.Kill()
	for _, pid := range pids {
		ends(t, "a process", pid)
	}
}

// The thread that has started a child outlives it: a child whose starting goroutine has ended keeps running when Go
// ends other threads.
func TestChildSurvivesTheEndOfThreads(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	ended, err := Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		}()
		<-gone
	}
	select {
	case <-ended:
		t.Error("the child has ended")
	case <-time.After(100 * time.Millisecond):
	}
	_ = cmd.Process.Kill()
	<-ended
	if cmd.ProcessState.Success() {
		t.Error("the state of the child is missing")
	}
}

func TestMissingProgramIsNamed(t *testing.T) {
	if _, err := Find("no-such-program-of-truxe"); err == nil ||
		!strings.Contains(err.Error(), "no-such-program-of-truxe is missing") {
		t.Errorf("%v", err)
	}
	if _, err := Start(exec.Command("/no/such/program"), syscall.SIGKILL); err == nil {
		t.Error("a program that does not exist was started")
	}
}
