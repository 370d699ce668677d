//go:build unix

package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// openPipe opens a FIFO or device without waiting: without a reader a FIFO is an error, not a hang.
func openPipe(path string, info fs.FileInfo) (*os.File, error) {
	if info.IsDir() {
		return nil, errors.New("it is a folder")
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, 0)
}

// lock keeps two processes, or two configurations during a reload, from writing the same rows twice. It ends with the
// file's closing, also by kill -9.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return nil // a file system without locks: as without this safety
}

// spare is the room that must be left, in bytes: more than a line takes.
const spare = 64 << 10

// room returns an error if the next line will not fit: a full disk, a file size limit. What it cannot know appears
// when the line is written, and then refuses the calls after it.
func room(path string) error {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil //nolint:nilerr // as above
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err == nil &&
		uint64(limit.Cur) < uint64(info.Size())+spare { //nolint:unconvert // signed on some systems
		return fmt.Errorf("it may not grow beyond the process's limit of %d bytes", limit.Cur)
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &disk); err == nil &&
		uint64(disk.Bavail)*uint64(disk.Bsize) < spare { //nolint:unconvert // differs by system
		return errors.New("the disk is full")
	}
	return nil
}
