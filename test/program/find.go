package program

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// Find returns the path of a program. Debian's folder for servers is not in every user's PATH.
func Find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("/usr/sbin", name))
	}
	if err != nil {
		return "", fmt.Errorf("%s is missing; scripts/install-test-deps installs it", name)
	}
	return path, nil
}

// Postgres returns the folder of PostgreSQL's programs. Debian has one for each version, outside PATH; the newest is
// taken.
func Postgres() (string, error) {
	path, err := exec.LookPath("initdb")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
		if len(found) == 0 {
			return "", fmt.Errorf("PostgreSQL's initdb is missing; scripts/install-test-deps installs it")
		}
		path = slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	}
	return filepath.Dir(path), nil
}

// version is the major version in /usr/lib/postgresql/17/bin/initdb.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// Unprivileged returns the user for a server that refuses to run as root, when the tests run as root; nil otherwise.
func Unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("running as root, and neither user `postgres` nor `nobody` exists")
}

// TempDir returns a folder for temporary files that another user can reach: the one of TMPDIR may be closed to
// Unprivileged.
func TempDir() (string, error) {
	for _, dir := range []string{os.TempDir(), "/var/tmp", "/tmp"} {
		if reachable(dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no temporary folder that another user can reach")
}

func reachable(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
		dir = filepath.Dir(dir)
	}
}
