//go:build !linux

package rig

import "syscall"

// endWithParent: only Linux can; elsewhere a test run that is killed leaves its servers to be stopped by hand.
func endWithParent(*syscall.SysProcAttr, syscall.Signal) {}
