//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// ED-07 only the errors by which a file system says that it has no locks let a process go on without one.
func TestErrorsOfFlockThatAreNotAboutLocksAreErrors(t *testing.T) {
	for err, want := range map[error]error{
		nil: nil, syscall.EWOULDBLOCK: ErrLocked, syscall.ENOLCK: ErrNoLocks, syscall.ENOTSUP: ErrNoLocks,
		syscall.ENOSYS: ErrNoLocks, syscall.EINVAL: ErrNoLocks, syscall.EIO: syscall.EIO, syscall.EBADF: syscall.EBADF,
		syscall.ESTALE: syscall.ESTALE,
	} {
		got := lockError("x.lock", err)
		if !errors.Is(got, want) || errors.Is(got, ErrNoLocks) != errors.Is(want, ErrNoLocks) {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}

// ED-07 a shared lock that cannot be made exclusive stays; one that cannot be restored is reported as lost.
func TestSharedLockThatIsLostIsSaid(t *testing.T) {
	database := filepath.Join(t.TempDir(), "truxe.db")
	lock, _, err := LockFile(database, true)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := LockFile(database, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Alone(); !errors.Is(err, ErrLocked) || errors.Is(err, ErrLockLost) {
		t.Errorf("beside another: %v", err)
	}
	if err := other.Alone(); !errors.Is(err, ErrLocked) {
		t.Error("the lock was given up")
	}
	if err := errors.Join(lock.Share(), lock.Close()); err != nil {
		t.Fatal(err)
	}
	if err := lock.Alone(); !errors.Is(err, ErrLockLost) || errors.Is(err, ErrNoLocks) {
		t.Errorf("a lock that is gone: %v", err)
	}
	if err := other.Alone(); err != nil {
		t.Error("control: ", err)
	}
}

// FIELD 51 ED-07: what root makes while Caddy is stopped belongs to the owner of the database, or of its folder, and
// follows no link; for other users the error says who must own the files.
func TestLockFileBelongsToTheOwnerOfTheDatabase(t *testing.T) {
	if os.Geteuid() != 0 {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		if _, _, err := LockFile(filepath.Join(dir, "truxe.db"), false); !errors.Is(err, fs.ErrPermission) ||
			!strings.Contains(err.Error(), "user that runs Caddy must own") {
			t.Error(err)
		}
		return
	}
	for name, exists := range map[string]bool{"the folder's": false, "the database's": true} {
		dir := t.TempDir()
		database, want := filepath.Join(dir, "truxe.db"), 4711
		if err := os.Chown(dir, want, want); err != nil {
			t.Fatal(err)
		}
		if exists {
			want = 4712
			if err := errors.Join(os.WriteFile(database, nil, 0o600), os.Chown(database, want, want)); err != nil {
				t.Fatal(err)
			}
		}
		lock, _, err := LockFile(database, false)
		if err != nil {
			t.Fatal(err)
		}
		_ = lock.Close()
		info, err := os.Stat(database + ".lock")
		if err != nil {
			t.Fatal(err)
		}
		if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != want || int(stat.Gid) != want ||
			info.Mode().Perm() != 0o600 {
			t.Errorf("%s: owner %d, group %d, mode %v", name, stat.Uid, stat.Gid, info.Mode())
		}
	}
	dir := t.TempDir()
	victim := filepath.Join(dir, "shadow")
	if err := errors.Join(os.WriteFile(victim, []byte("root's"), 0o600),
		os.Symlink(victim, filepath.Join(dir, "truxe.db.lock"))); err != nil {
		t.Fatal(err)
	}
	if lock, _, err := LockFile(filepath.Join(dir, "truxe.db"), false); err == nil {
		_ = lock.Close()
		t.Error("a link in the lock's place was followed")
	}
}

// FIELD 51: errors about rights say who must own the files.
func TestErrorsAboutRightsSayWhoMustOwnTheFiles(t *testing.T) {
	for cause, says := range map[error]bool{syscall.EACCES: true, syscall.EPERM: true, syscall.EROFS: true,
		syscall.ENOSPC: false} {
		err := ownerHint(fmt.Errorf("take the lock: %w", &fs.PathError{Op: "open", Path: "/data/truxe.db.lock", Err: cause}))
		if !errors.Is(err, cause) || strings.Contains(err.Error(), "user that runs Caddy must own") != says {
			t.Error(err)
		}
	}
}
