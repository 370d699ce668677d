package credential

import "syscall"

// lowerPriority makes the present thread yield to the ones that proxy. Not being allowed to is no error.
func lowerPriority() {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), 15)
}
