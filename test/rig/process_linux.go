package rig

import "syscall"

// endWithParent has the kernel send sig to the child when this process dies.
func endWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
