//go:build !linux

package program

import "syscall"

// signalWhenOrphaned does nothing: only Linux can.
func signalWhenOrphaned(*syscall.SysProcAttr, syscall.Signal) {}
