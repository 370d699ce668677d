package rig

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/program"
)

// process is a server the rig started. All signals go to its own id, never to a name or group.
type process struct {
	name string
	cmd  *exec.Cmd
	done <-chan struct{} // closed when it has ended
	log  *logBuffer      // its standard output and standard error
}

// start runs cmd with its output collected. The signal orphaned ends it when the test process dies (package program).
func start(t testing.TB, name string, cmd *exec.Cmd, orphaned syscall.Signal) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, log: &logBuffer{}}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	var err error
	if p.done, err = program.Start(cmd, orphaned); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	return p
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends sig; a process that has already ended is not an error.
func (p *process) signal(sig syscall.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// stop asks with sig and, when that is not enough within limit, kills. It says whether asking was enough.
func (p *process) stop(sig syscall.Signal, limit time.Duration) bool {
	_ = p.signal(sig)
	_ = p.signal(syscall.SIGCONT) // a frozen process hears nothing else
	select {
	case <-p.done:
		return true
	case <-time.After(limit):
		p.kill()
		return false
	}
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.signal(syscall.SIGKILL)
	<-p.done
}
