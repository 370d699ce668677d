// Package regular reads regular files, and no more of them than a bound. A configuration that names a FIFO would wait
// for its writer at every look, one that names /dev/zero would be read for ever.
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// ErrNotRegular is the error for folders, FIFOs, sockets and devices.
var ErrNotRegular = errors.New("not a regular file")

// SizeError is the error for a file that is larger than its bound.
type SizeError struct{ Limit int64 }

func (e *SizeError) Error() string { return "larger than " + size(e.Limit) }

func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// Open opens a regular file for reading. It never waits: a path that is replaced by a FIFO after the first look is
// opened without waiting for its writer, and looked at again.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path) // first: to open some devices changes them
	if err != nil {
		return nil, err
	}
	if err := check(path, info); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = check(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func check(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	return nil
}

// Check reports why a path cannot be read with Read, without reading it.
func Check(path string, limit int64) error {
	info, err := os.Stat(path)
	if err == nil {
		err = check(path, info)
	}
	if err == nil && info.Size() > limit {
		err = &fs.PathError{Op: "read", Path: path, Err: &SizeError{limit}}
	}
	return err
}

// Read reads a regular file of at most limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = &fs.PathError{Op: "read", Path: path, Err: &SizeError{limit}}
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}

// maxEntries bounds the names of one folder.
const maxEntries = 10_000

// DirFS is os.DirFS for folders of regular files: Open never waits, and a folder of more than 10,000 names is an error.
func DirFS(dir string) fs.FS { return dirFS(dir) }

type dirFS string

func (d dirFS) path(op, name string) (string, error) {
	if !fs.ValidPath(name) || strings.ContainsRune(name, '\\') && os.PathSeparator == '\\' {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return string(d) + "/" + name, nil
}

// Open opens a regular file of the folder.
func (d dirFS) Open(name string) (fs.File, error) {
	path, err := d.path("open", name)
	if err != nil {
		return nil, err
	}
	return Open(path)
}

// Stat follows links.
func (d dirFS) Stat(name string) (fs.FileInfo, error) {
	path, err := d.path("stat", name)
	if err != nil {
		return nil, err
	}
	return os.Stat(path)
}

// ReadDir lists a folder.
func (d dirFS) ReadDir(name string) ([]fs.DirEntry, error) {
	path, err := d.path("readdir", name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(maxEntries + 1)
	if len(entries) > maxEntries {
		return nil, &fs.PathError{Op: "readdir", Path: path, Err: fmt.Errorf("more than %d files", maxEntries)}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return entries, err
}
