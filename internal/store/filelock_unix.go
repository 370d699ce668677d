//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// noFollow keeps a link in the place of a lock file from leading to a file that only root may write.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

func flock(f *os.File, shared bool) error {
	how := syscall.LOCK_EX | syscall.LOCK_NB
	if shared {
		how = syscall.LOCK_SH | syscall.LOCK_NB
	}
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return lockError(f.Name(), err)
		}
	}
}

// lockError says what an error of flock means.
func lockError(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return ErrLocked
	}
	for _, none := range []error{syscall.ENOLCK, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EINVAL} {
		if errors.Is(err, none) { // as network and user-space file systems answer
			return ErrNoLocks
		}
	}
	return &fs.PathError{Op: "flock", Path: path, Err: err}
}

// giveToOwner transfers f to the owner of the database, or of its folder if there is none yet.
func giveToOwner(f *os.File, database string) error {
	info, err := os.Stat(database)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(filepath.Dir(database))
	}
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
		return f.Chown(int(stat.Uid), int(stat.Gid))
	}
	return nil
}
