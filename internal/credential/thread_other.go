//go:build !linux

package credential

// ownThread is of use on Linux only.
func ownThread() {}
