package timebound

import (
	"syscall"
	"testing"
	"time"
)

// CPU fails the test when do takes more processor time than bound. What a computation costs hardly depends on what else
// the machine does, so this bound is judged everywhere. Tests beside it in the same process count too.
func CPU(t testing.TB, what string, bound time.Duration, do func()) {
	t.Helper()
	before := used(t)
	do()
	if took := used(t) - before; took > bound {
		t.Errorf("%s took %v of processor time; the bound is %v", what, took.Round(time.Millisecond), bound)
	}
}

// used returns the processor time of this process.
func used(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
