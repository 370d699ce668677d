// Package program finds and starts the servers that tests need. What it starts ends with the test process, however that
// ends: a test run that panics, is killed or runs into its time limit cleans nothing up.
//
// On Linux the kernel ends the children. Other systems have no such call: there a run that is interrupted with its
// parent (see ExitWithParent) ends them, and one that panics or gets SIGKILL leaves them to be stopped by hand.
package program

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// running are the children that have not ended, with the signal that ends each.
var running = struct {
	sync.Mutex
	children map[*exec.Cmd]syscall.Signal
}{children: map[*exec.Cmd]syscall.Signal{}}

// Start starts cmd and returns a channel that is closed when it has ended. cmd.ProcessState is set by then; the caller
// must not call cmd.Wait. Orphaned is the signal that ends the child when this process dies.
func Start(cmd *exec.Cmd, orphaned syscall.Signal) (ended <-chan struct{}, err error) {
	started, done := make(chan error), make(chan struct{})
	go func() {
		// The kernel sends the signal when the thread that forked ends (prctl(2), PR_SET_PDEATHSIG), and Go ends
		// threads: this one is kept until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if cmd.SysProcAttr == nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{}
		}
		signalWhenOrphaned(cmd.SysProcAttr, orphaned)
		running.Lock() // endAll sees every child that was started
		err := cmd.Start()
		if err == nil {
			running.children[cmd] = orphaned
		}
		running.Unlock()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait()
		running.Lock()
		delete(running.children, cmd)
		running.Unlock()
		close(done)
	}()
	return done, <-started
}

// endAll sends every child its signal. No child can be started after it.
func endAll() {
	running.Lock()
	for cmd, orphaned := range running.children {
		_ = cmd.Process.Signal(syscall.SIGCONT) // a frozen process takes no other signal but SIGKILL
		_ = cmd.Process.Signal(orphaned)
	}
}
