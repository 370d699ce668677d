// Package rules has the rules in force at every site of a configuration: those of the policy files and those of the
// sites' own lines. It replaces them when the files change, lets a site only report what they would refuse, and records
// what they decided, so that other files can be compared with them.
package rules

import (
	"errors"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Files are policy files, read and checked.
type Files interface {
	// RulesFor returns the rules of the named files, of all when none is named. An unknown name is an error.
	RulesFor(names []string) ([]policy.Rule, error)
	RoleModel() *policy.RoleModel
	// Version changes when the files do.
	Version() string
}

// Book is the rules of all sites of one configuration: those of the policy files and those of the sites' own lines, in
// one set for each site. They change together and at once, so every request is judged wholly by the old or the new ones
// (AZ-10). The zero value has no policy files.
type Book struct {
	mu      sync.Mutex // of changes
	sites   []Lines
	names   []string         // of them
	hosts   map[string][]int // the sites at a folded host; "" for those without a host name
	current atomic.Pointer[edition]
}

// edition is one generation of the rules; it is never changed.
type edition struct {
	files  Files
	sets   []*policy.Set // by site
	number uint64        // of the files, within this process
}

// editions numbers the files that were put in force in this process: what was made under the files of another number,
// such as a signed assertion, is made again.
var editions atomic.Uint64

// NewBook returns a book with these policy files; nil: none.
func NewBook(f Files) *Book {
	b := &Book{}
	b.current.Store(&edition{files: f, number: editions.Add(1)})
	return b
}

// RoleModel returns what the files say of roles; nil: nothing.
func (b *Book) RoleModel() *policy.RoleModel {
	if f := b.Files(); f != nil {
		return f.RoleModel()
	}
	return nil
}

// PermissionsOf returns the permissions of roles that tokens and assertions carry; false when there are too many.
func (b *Book) PermissionsOf(roles []string) ([]string, bool) { return b.RoleModel().Claim(roles) }

// Edition numbers the files in force. It changes whenever they do.
func (b *Book) Edition() uint64 {
	if e := b.current.Load(); e != nil {
		return e.number
	}
	return 0
}

// Files returns the policy files in force; nil: there are none.
func (b *Book) Files() Files {
	if b == nil {
		return nil
	}
	if e := b.current.Load(); e != nil {
		return e.files
	}
	return nil
}

// Version is that of the policy files in force; "" when there are none.
func (b *Book) Version() string {
	if f := b.Files(); f != nil {
		return f.Version()
	}
	return ""
}

// Replace puts other policy files in force at every site. When they do not fit one of the sites nothing changes.
func (b *Book) Replace(f Files) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := &edition{files: f, number: editions.Add(1)}
	var errs []error
	for _, l := range b.sites {
		set, err := l.compile(f)
		if err != nil {
			errs = append(errs, err)
		}
		next.sets = append(next.sets, set)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	b.current.Store(next)
	return nil
}

// Add compiles the rules of a site. Sites with the same lines share them.
func (b *Book) Add(l Lines) (*Site, error) {
	n, err := b.add(l)
	if err != nil {
		return nil, err
	}
	return &Site{book: b, number: n, name: l.Name(), report: l.Report}, nil
}

// add compiles a site's rules and returns its number.
func (b *Book) add(l Lines) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.sites {
		if reflect.DeepEqual(b.sites[i], l) {
			return i, nil
		}
	}
	old := b.current.Load()
	if old == nil {
		old = &edition{}
	}
	set, err := l.compile(old.files)
	if err != nil {
		return 0, err
	}
	b.sites, b.names = append(b.sites, l), append(b.names, l.Name())
	b.current.Store(&edition{files: old.files, sets: append(old.sets[:len(old.sets):len(old.sets)], set),
		number: old.number})
	return len(b.sites) - 1, nil
}

// Site is the rules of one site.
type Site struct {
	book   *Book
	number int // among the sites of the book
	name   string
	report bool // `mode report`
}

// Name is the same for sites with the same lines, on every node and after every start.
func (s *Site) Name() string { return s.name }

// Decide asks the rules in force about a request, and returns them with the decision, so that it can be explained. Only
// rules that ask where or when a request was sent have it located: reading an address takes time.
func (s *Site) Decide(r *policy.Request, p *identity.Principal, locate func()) (*policy.Set, policy.Decision) {
	set := s.Set()
	if set.Requires() {
		locate()
	}
	return set, s.applyReportMode(set.Decide(*r, p), p)
}

// Set returns the site's part of the rules in force.
func (s *Site) Set() *policy.Set { return s.book.current.Load().sets[s.number] }
