//go:build !linux

package credential

// lowerPriority does nothing: only Linux has a priority per thread.
func lowerPriority() {}
