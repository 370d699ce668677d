package secret

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/truxeio/caddy-truxe/internal/regular"
)

// maxKeyFile bounds a key file in bytes.
const maxKeyFile = 4 << 10

// LoadOrCreateKeyFile reads the key in a file, or makes one there. Of two processes that start at once, one makes it.
// For the warning see LoadKeyFile.
func LoadOrCreateKeyFile(path string) (k Key, warning string, err error) {
	for range 2 {
		k, warning, err := LoadKeyFile(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return k, warning, err
		}
		if err := createKeyFile(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return Key{}, "", err
		}
	}
	return LoadKeyFile(path)
}

// LoadKeyFile reads the key in a file. A file that others can read is made the owner's alone, with a warning:
// Kubernetes gives the files of a volume with fsGroup to the group, mode 0660, at every mount. Where that is not
// allowed, its group may read it; others may not.
func LoadKeyFile(path string) (k Key, warning string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return Key{}, "", err
	}
	if mode := info.Mode().Perm(); info.Mode().IsRegular() && mode&0o077 != 0 && os.PathSeparator == '/' {
		switch err := os.Chmod(path, 0o600); {
		case err == nil:
			warning = fmt.Sprintf("%s could be read by others (mode %04o); it is 0600 now", path, mode)
		case mode&0o007 == 0:
			warning = fmt.Sprintf("%s can be read by its group (mode %04o), and that could not be changed", path, mode)
		default:
			return Key{}, "",
				fmt.Errorf("%s can be read by others (mode %04o), and that could not be changed; run: chmod 600 %s", path, mode,
					path)
		}
	}
	raw, err := regular.Read(path, maxKeyFile)
	if err != nil {
		return Key{}, "", err
	}
	if k, err = ParseKey(string(raw)); err != nil {
		return k, "", fmt.Errorf("%s: %w", path, err)
	}
	return k, warning, nil
}

// createKeyFile writes a new key beside its place and links it there: the file is never seen half written.
func createKeyFile(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	var k Key
	_, _ = rand.Read(k[:])
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(k[:]) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
