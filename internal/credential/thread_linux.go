package credential

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// ownThread locks a worker to a thread that asks the kernel for short turns: 0.1 ms instead of the usual 3 ms. Since
// Linux 6.6 a thread that computes is not interrupted before its turn ends, and without this a request that woke up
// beside it waited for a whole timer tick (measured: p99 of proxied requests during a flood of sign-ins six times its
// quiet value, and two times with it). Its share of the processor stays the same: a lower priority would let the kernel
// put it aside while it holds one of Go's processors, which stalls everything. Kernels before 6.12 ignore the wish;
// failing is no harm.
func ownThread() {
	runtime.LockOSThread() // never unlocked: the thread ends with its worker
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Runtime: turn}, 0)
}

const turn = 100_000 // ns, the least that the kernel takes
