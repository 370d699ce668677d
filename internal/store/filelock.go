package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// What FileLock branches on.
var (
	ErrLocked  = errors.New("locked by another process")
	ErrNoLocks = errors.New("the file system has no locks")
)

// maxLockText bounds what is read from a lock file: another process wrote it.
const maxLockText = 4096

// FileLock is a lock of this process on a file of its own. The system ends it with the process, also after kill -9. It is
// not on the database itself: on NFS, flock is the same lock as the one SQLite takes on its file.
type FileLock struct{ f *os.File }

// LockFile takes the lock of path without waiting: alone, or beside others that share it. ErrLocked when another process
// is in the way; text is then what its holder wrote. ErrNoLocks when the system cannot lock.
func LockFile(path string, shared bool) (lock *FileLock, text []byte, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err = flock(f, shared); err != nil {
		if errors.Is(err, ErrLocked) {
			text, _ = io.ReadAll(io.LimitReader(f, maxLockText))
		}
		return nil, text, errors.Join(err, f.Close())
	}
	return &FileLock{f}, nil, nil
}

// Write replaces the text of the lock file, which says who holds it.
func (l *FileLock) Write(text []byte) error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err := l.f.WriteAt(text, 0)
	return err
}

// Alone makes a shared lock exclusive. When others share it, it stays shared and the error is ErrLocked.
func (l *FileLock) Alone() error {
	err := flock(l.f, false)
	if err != nil { // a failed change has given up the lock that was there
		err = errors.Join(err, flock(l.f, true))
	}
	return err
}

// Share makes an exclusive lock shared.
func (l *FileLock) Share() error { return flock(l.f, true) }

// Close gives the lock back. The file stays: to delete it would let two processes lock two files of one name.
func (l *FileLock) Close() error { return l.f.Close() }
