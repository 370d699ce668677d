//go:build !unix

package store

import "os"

func flock(*os.File, bool) error { return ErrNoLocks }
