package policyfile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/policy/condition"
)

// Document is what the policy files of a folder say together.
type Document struct {
	Roles    *policy.RoleModel
	Networks map[string][]netip.Prefix
	Rules    []Rule   // by place
	Files    []string // the stems of the policy files, sorted
	Digest   string   // SHA-256 over names and texts of the policy files, in hex

	networksAt   map[string]policy.Position
	networksUsed map[string]bool // by rules, conditions apart
}

// Rule is a rule with the stem of the file that contains it.
type Rule struct {
	policy.Rule
	File string
}

// Conditions compiles the `when` of a rule.
type Conditions func(text string, networks map[string][]netip.Prefix) (policy.Condition, error)

// Parse reads policy files; files of tests among the sources are passed over. Errors are Problems: all that were found.
func Parse(sources []Source) (*Document, error) { return parse(sources, condition.Compile) }

func parse(sources []Source, conditions Conditions) (*Document, error) {
	l := &loader{conditions: conditions, doc: &Document{Networks: map[string][]netip.Prefix{},
		networksAt: map[string]policy.Position{}, networksUsed: map[string]bool{}}}
	sources = slices.SortedFunc(slices.Values(sources), func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	sum := sha256.New()
	var files []file
	for _, s := range sources {
		if s.IsTest() {
			continue
		}
		if slices.Contains(l.doc.Files, s.Stem()) {
			l.problems.add(at(s.Name), "there are two policy files %s.yaml", s.Stem())
			continue
		}
		l.doc.Files = append(l.doc.Files, s.Stem())
		for _, part := range [][]byte{[]byte(path.Base(s.Name)), s.Text} {
			sum.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			sum.Write(part)
		}
		r := &reader{file: s.Name, problems: &l.problems}
		if root := r.document(s.Text); root != nil {
			files = append(files, file{r, s.Stem(), r.keys(root, "policy file", "roles", "networks", "rules")})
		}
	}
	l.doc.Digest = hex.EncodeToString(sum.Sum(nil))
	slices.Sort(l.doc.Files)
	// A rule may name what another file defines: roles and networks of all files come first.
	for _, f := range files {
		f.each("roles", l.roles)
		f.each("networks", l.networks)
	}
	l.compileRoles()
	for _, f := range files {
		f.each("rules", func(r *reader, n *yaml.Node) { l.rules(r, n, f.stem) })
	}
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	return l.doc, nil
}

// loader gathers what the files say.
type loader struct {
	doc         *Document
	problems    Problems
	conditions  Conditions
	written     []policy.Role
	inherited   []inherited
	ids         map[string]policy.Position
	permissions int // how many roles name
	// Names to choose the nearest from, gathered when the first slip needs them.
	names, networkNames []string
}

type file struct {
	*reader
	stem string
	top  map[string]pair
}

func (f file) each(key string, do func(*reader, *yaml.Node)) {
	if e, ok := f.top[key]; ok {
		do(f.reader, e.value)
	}
}

// RulesFor returns the rules of the named files, or all rules without names. Unknown names are errors, joined.
func (d *Document) RulesFor(names []string) ([]policy.Rule, error) {
	var errs []error
	for _, name := range names {
		if slices.Contains(d.Files, name) {
			continue
		}
		more := hint(strings.TrimSuffix(name, ".yaml"), d.Files)
		if more == "" {
			more = "; there are " + strings.Join(d.Files, ", ")
		}
		errs = append(errs, fmt.Errorf("there is no policy %s%s", quote(name), more))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var rules []policy.Rule
	for _, r := range d.Rules {
		if len(names) == 0 || slices.Contains(names, r.File) {
			rules = append(rules, r.Rule)
		}
	}
	return rules, nil
}
