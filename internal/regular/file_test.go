package regular

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

// ED-10 what is no regular file is refused before a byte is read: nothing waits for a FIFO's writer.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	file, pipe, link := filepath.Join(dir, "file"), filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, []byte("text"), 0o600), syscall.Mkfifo(pipe, 0o600),
		os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} { // mounted configuration comes as links
		if text, err := Read(path, 4); err != nil || string(text) != "text" {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	for _, path := range []string{dir, pipe, "/dev/zero", "/dev/null"} {
		_, err := Read(path, 4)
		if !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
		if err := Check(path, 4); !errors.Is(err, ErrNotRegular) {
			t.Errorf("check %s: %v", path, err)
		}
	}
	for _, read := range []error{Check(file, 3), func() error { _, err := Read(file, 3); return err }()} {
		var size *SizeError
		if !errors.As(read, &size) || !strings.Contains(read.Error(), "larger than 3 bytes") ||
			!strings.Contains(read.Error(), file) {
			t.Errorf("over the bound: %v", read)
		}
	}
	if _, err := Read(filepath.Join(dir, "none"), 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// A folder is read as os.DirFS reads it, up to its bound.
func TestDirFSIsAFileSystem(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("f", i)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fsys := DirFS(dir)
	names, err := fs.Glob(fsys, "f*")
	if err != nil || len(names) != 3 {
		t.Errorf("%v, %v", names, err)
	}
	if text, err := fs.ReadFile(fsys, "f1"); err != nil || string(text) != "x" {
		t.Errorf("%q, %v", text, err)
	}
	for _, name := range []string{"../x", "/etc/passwd", "a/../b"} {
		if _, err := fsys.Open(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("open %s: %v", name, err)
		}
	}
}

// C files that every user of the machine can change, or whose folder is open, draw a warning.
func TestWorldWritableIsSaid(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "users.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		mode   os.FileMode
		folder bool
		warns  bool
	}{
		{file, 0o644, false, false}, {file, 0o664, false, false}, {file, 0o646, false, true},
		{dir, 0o755, false, false}, {dir, 0o777, false, true}, {dir, 0o777 | os.ModeSticky, false, false},
		{dir, 0o777 | os.ModeSticky, true, true},
	} {
		if err := os.Chmod(c.path, c.mode); err != nil {
			t.Fatal(err)
		}
		if got := Writable(c.path, c.folder); (got != "") != c.warns {
			t.Errorf("%s with mode %v, new files count %v: %q", c.path, c.mode, c.folder, got)
		}
	}
}
