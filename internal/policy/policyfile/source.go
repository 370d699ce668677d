// Package policyfile turns a folder of policy files (CONTRACT section 10) into rules, roles and networks, runs the
// tests beside them and says what in them looks wrong. It is pure: files come through an fs.FS.
//
// It is strict: a policy that is not wholly understood is not a policy. A key, role, network, host or method that is
// not known could be the one word that would have closed a door, so it is an error with its place and the nearest valid
// word.
package policyfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of what is read. 10,000 rules are about 2 MiB.
const (
	maxFile  = 4 << 20
	maxAll   = 32 << 20
	maxFiles = 1000
)

// Source is one file of a policy folder.
type Source struct {
	Name string // as messages show it, such as policies/orders.yaml
	Text []byte
}

// Stem is the file's name without .yaml, by which a site's `policy` option calls it.
func (s Source) Stem() string {
	return strings.TrimSuffix(path.Base(filepath.ToSlash(s.Name)), ".yaml")
}

// IsTest reports whether a file contains tests (*_test.yaml), not rules.
func (s Source) IsTest() bool { return strings.HasSuffix(s.Name, testSuffix) }

const testSuffix = "_test.yaml"

// ReadFS reads the policy and test files in the root of fsys, by name; messages show them below dir. Subfolders, hidden
// files and files of other kinds are not looked at. A folder without a policy file is an error: an empty mount would
// else open what its rules closed (R1). Links to files are followed, as mounted configuration comes as links.
func ReadFS(fsys fs.FS, dir string) ([]Source, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("policies: cannot read the folder %s: %w", dir, cause(err))
	}
	var sources []Source
	var problems Problems
	total, policies := 0, 0
	for _, e := range entries {
		name := e.Name()
		shown := path.Join(dir, name)
		ext := path.Ext(name)
		if strings.HasPrefix(name, ".") || !strings.EqualFold(ext, ".yaml") && !strings.EqualFold(ext, ".yml") {
			continue
		}
		if ext != ".yaml" { // to pass over it in silence could drop a deny rule
			problems.add(at(shown), "policy files end in .yaml; rename it to %s.yaml", strings.TrimSuffix(name, ext))
			continue
		}
		if len(sources) == maxFiles {
			return nil, fmt.Errorf("policies: %s has more than %d files", dir, maxFiles)
		}
		text, err := readFile(fsys, name)
		if err != nil {
			problems.add(at(shown), "%v", err)
			continue
		}
		if total += len(text); total > maxAll {
			return nil, fmt.Errorf("policies: the files of %s are larger than %d MiB together", dir, maxAll>>20)
		}
		s := Source{Name: shown, Text: text}
		if sources = append(sources, s); !s.IsTest() {
			policies++
		}
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	if policies == 0 {
		return nil, fmt.Errorf("policies: %s has no policy file, such as orders.yaml", dir)
	}
	slices.SortFunc(sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	return sources, nil
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name) // before it is opened: to open a pipe waits for its writer
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", cause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", cause(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", cause(err))
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("it is larger than %d MiB; divide it", maxFile>>20)
	}
	return text, nil
}

// cause leaves out the name that a message has already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
