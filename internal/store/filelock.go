package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// What FileLock branches on.
var (
	ErrLocked   = errors.New("locked by another process")
	ErrLockLost = errors.New("the lock was lost to another process")
	ErrNoLocks  = errors.New("the file system has no locks")
)

// maxLockText bounds what is read from a lock file: another process wrote it.
const maxLockText = 4096

// FileLock is a lock of this process on a file of its own. The system ends it with the process, also after kill -9. It
// is not on the database itself: on NFS, flock is the same lock as the one SQLite takes on its file.
type FileLock struct{ f *os.File }

// LockFile takes the lock of a database's file without waiting: alone, or beside others that share it. The lock is a
// file with the database's name and .lock. ErrLocked when another process is in the way; text is then what its holder
// wrote. ErrNoLocks when the system cannot lock.
func LockFile(database string, shared bool) (lock *FileLock, text []byte, err error) {
	if err := os.MkdirAll(filepath.Dir(database), 0o700); err != nil {
		return nil, nil, ownerHint(err)
	}
	f, err := openLock(database)
	if err != nil {
		return nil, nil, ownerHint(err)
	}
	if err = flock(f, shared); err != nil {
		if errors.Is(err, ErrLocked) {
			text, _ = io.ReadAll(io.LimitReader(f, maxLockText))
		}
		return nil, text, errors.Join(err, f.Close())
	}
	return &FileLock{f}, nil, nil
}

// openLock opens the lock file of a database, or makes it. A command that root runs while Caddy is stopped gives it to
// the owner of the database; only a new one, since whoever may write to the folder may put another file in its place.
func openLock(database string) (*os.File, error) {
	path := database + ".lock"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.OpenFile(path, os.O_RDWR|noFollow, 0)
	}
	if err != nil || os.Geteuid() != 0 {
		return f, err
	}
	if err := giveToOwner(f, database); err != nil {
		return nil, errors.Join(fmt.Errorf("give %s to the owner of the database: %w", path, err), f.Close(), os.Remove(path))
	}
	return f, nil
}

// ownerHint adds what to do when the files of a database belong to another user.
func ownerHint(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w; the user that runs Caddy must own the file and its folder and be able to write to them", err)
	}
	return err
}

// Write replaces the text of the lock file, which says who holds it.
func (l *FileLock) Write(text []byte) error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err := l.f.WriteAt(text, 0)
	return err
}

// Alone upgrades a shared lock to an exclusive one. When others share it, it stays shared and the error is ErrLocked. A
// failed change gives up the lock that was there: when another process takes it before it is shared again, the error is
// ErrLockLost.
func (l *FileLock) Alone() error {
	err := flock(l.f, false)
	if err == nil {
		return nil
	}
	if again := flock(l.f, true); again != nil {
		return fmt.Errorf("%w: %w", ErrLockLost, again)
	}
	return err
}

// Share downgrades an exclusive lock to a shared one.
func (l *FileLock) Share() error { return flock(l.f, true) }

// Close releases the lock. The file remains: deleting it would let two processes lock two files of one name.
func (l *FileLock) Close() error { return l.f.Close() }
