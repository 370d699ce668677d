package rules

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/policy/policyfile"
	"github.com/truxeio/caddy-truxe/internal/regular"
)

// document is checked policy files. It implements Files.
type document struct {
	*policyfile.Document
	tests *policyfile.Report
}

// RoleModel returns what the files say of roles.
func (d document) RoleModel() *policy.RoleModel { return d.Roles }

// Version names the files by their digest.
func (d document) Version() string { return d.Digest }

// Open reads and checks the policy files of a directory and runs their tests. "" is no directory. It does no other I/O,
// so `caddy validate` finds every mistake in them.
func Open(dir string) (*Book, error) {
	if dir == "" {
		return NewBook(nil), nil
	}
	sources, err := ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	files, err := check(sources)
	if err != nil {
		return nil, err
	}
	return NewBook(files), nil
}

// ReadDir reads the policy files of a directory and the tests beside them, unparsed.
func ReadDir(dir string) ([]policyfile.Source, error) {
	return policyfile.ReadFS(regular.DirFS(dir), filepath.ToSlash(dir))
}

// check parses policy files and runs the tests beside them. Policies whose own tests fail are not put in force.
func check(sources []policyfile.Source) (document, error) {
	doc, report, err := policyfile.Test(sources)
	if err != nil {
		return document{}, err
	}
	if report.Failed > 0 {
		var text strings.Builder
		_ = report.WriteText(&text)
		return document{}, fmt.Errorf("policies: tests fail\n%s", text.String())
	}
	return document{doc, report}, nil
}

// Test reads policy files and runs the tests beside them, whether they pass or fail.
func Test(dir string) (*policyfile.Document, *policyfile.Report, error) {
	sources, err := ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	return policyfile.Test(sources)
}

// WithSources returns the same sites with other policy files, whose tests are not run.
func (b *Book) WithSources(sources []policyfile.Source) (*Book, error) {
	doc, err := policyfile.Parse(sources)
	if err != nil {
		return nil, err
	}
	return b.withFiles(document{Document: doc})
}
