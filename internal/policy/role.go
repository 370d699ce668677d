package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Role is a role as a policy file defines it.
type Role struct {
	Name        string
	Inherits    []string
	Permissions []string // "resource:action"; a resource may have colons itself, the last one divides
	Description string
	At          Position
}

// Problem is a mistake in a policy, with its place and, where one is likely, its remedy.
type Problem struct {
	At      Position
	Message string
}

func (p *Problem) Error() string {
	if p.At == (Position{}) {
		return p.Message
	}
	return p.At.String() + ": " + p.Message
}

// RoleModel is the compiled roles of all policy files. Its zero value, and nil, is the model of a gateway whose
// policies define none: any name is a role, and only "admin" grants permissions. It is safe for concurrent use.
type RoleModel struct {
	roles   map[string][]string // each with all that it grants, inherited ones included, sorted
	defined []Role              // as written, by name
}

// CompileRoles resolves inheritance. Errors are *Problem, joined: a role twice, an unknown or circular `inherits`, a
// malformed permission.
func CompileRoles(roles []Role) (*RoleModel, error) {
	m := &RoleModel{roles: map[string][]string{}}
	byName := map[string]Role{}
	var errs []error
	fail := func(at Position, format string, args ...any) {
		errs = append(errs, &Problem{At: at, Message: fmt.Sprintf(format, args...)})
	}
	for _, r := range roles {
		if first, twice := byName[r.Name]; twice {
			fail(r.At, "role %q is defined twice, first at %s", r.Name, first.At)
			continue
		}
		if r.Name == "" {
			fail(r.At, "a role has no name")
		}
		for _, p := range r.Permissions {
			if err := CheckPermission(p); err != nil {
				fail(r.At, "role %q: %v", r.Name, err)
			}
		}
		byName[r.Name] = r
		m.defined = append(m.defined, r)
	}
	slices.SortFunc(m.defined, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	if len(byName) > 0 {
		if _, ok := byName[identity.AdminRole]; !ok {
			byName[identity.AdminRole] = Role{Name: identity.AdminRole, Permissions: []string{"*"}}
		}
	}
	for _, r := range m.defined {
		for _, parent := range r.Inherits {
			if _, known := byName[parent]; !known {
				fail(r.At, "role %q inherits the unknown role %q", r.Name, parent)
			}
		}
	}
	in := inheritance{roles: byName, granted: m.roles, open: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if !in.resolve(name, 0) {
			fail(byName[name].At, "role %q inherits itself, or through more than %d others", name, maxInheritance)
		}
	}
	// CONTRACT section 9: it has "*" whatever a file says
	if granted, ok := m.roles[identity.AdminRole]; ok && !slices.Contains(granted, "*") {
		m.roles[identity.AdminRole] = slices.Insert(granted, 0, "*")
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return m, nil
}

// maxInheritance bounds how long a chain of roles may be: a longer one is a mistake, or made to exhaust the stack.
const maxInheritance = 1000

// inheritance collects what roles grant, each once.
type inheritance struct {
	roles   map[string]Role
	granted map[string][]string // done
	open    map[string]bool     // begun; still so when met again: a circle
}

// resolve reports whether all that a role inherits ends somewhere.
func (in *inheritance) resolve(name string, depth int) bool {
	if _, done := in.granted[name]; done {
		return true
	}
	if in.open[name] || depth > maxInheritance {
		return false
	}
	in.open[name] = true // and stays so after a failure: no role that inherits from a circle ends
	granted := slices.Clone(in.roles[name].Permissions)
	for _, parent := range in.roles[name].Inherits {
		if !in.resolve(parent, depth+1) {
			return false
		}
		granted = append(granted, in.granted[parent]...)
	}
	slices.Sort(granted)
	in.granted[name] = slices.Compact(granted)
	return true
}

// Defined reports whether policies define roles; then no other name is a role.
func (m *RoleModel) Defined() bool { return m != nil && len(m.defined) > 0 }

// Roles lists what is defined, by name.
func (m *RoleModel) Roles() []Role {
	if m == nil {
		return nil
	}
	return m.defined
}

// Known reports whether a person can be given the role.
func (m *RoleModel) Known(role string) bool {
	if !m.Defined() {
		return role != ""
	}
	_, ok := m.roles[role]
	return ok
}

// Names lists the roles that a person can be given, when they are defined.
func (m *RoleModel) Names() []string {
	if !m.Defined() {
		return nil
	}
	names := make([]string, 0, len(m.roles))
	for name := range m.roles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Permissions lists what the roles grant together, sorted, each once.
func (m *RoleModel) Permissions(roles []string) []string {
	all := []string{}
	for _, r := range roles {
		all = append(all, m.grants(r)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Allows reports whether the roles grant a permission, and through which of them.
func (m *RoleModel) Allows(roles []string, permission string) (role string, ok bool) {
	for _, r := range roles {
		for _, granted := range m.grants(r) {
			if Covers(granted, permission) {
				return r, true
			}
		}
	}
	return "", false
}

// Granting lists the roles through which a user holds a permission, sorted.
func (m *RoleModel) Granting(permission string) []string {
	var names []string
	for _, name := range append(m.Names(), identity.AdminRole) {
		if _, ok := m.Allows([]string{name}, permission); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (m *RoleModel) grants(role string) []string {
	if m.Defined() {
		return m.roles[role]
	}
	if role == identity.AdminRole {
		return []string{"*"}
	}
	return nil
}

// CheckPermission returns an error if a permission is not valid.
func CheckPermission(p string) error {
	if p == "*" {
		return nil
	}
	at := strings.LastIndexByte(p, ':')
	if at <= 0 || at == len(p)-1 || len(p) > 200 {
		return fmt.Errorf(`permission %q is not "resource:action", such as orders:read, orders:*, *:read or *`, p)
	}
	for _, side := range []string{p[:at], p[at+1:]} {
		if side != "*" && (strings.ContainsAny(side, "*,|\"' \t\r\n") || strings.HasPrefix(side, ":") ||
			strings.HasSuffix(side, ":")) {
			return fmt.Errorf(`permission %q: "*" must be alone on its side, and neither side has spaces, commas or quotes`, p)
		}
	}
	return nil
}

// Covers reports whether holding one permission means holding another. "*" covers everything; "orders:*" every action
// on orders and on what is below it ("orders:archive:read"); "*:read" reading of everything. A wanted wildcard is
// covered by as wide a one only.
func Covers(held, wanted string) bool {
	if held == "*" || held == wanted {
		return true
	}
	hr, ha, ok := cutPermission(held)
	wr, wa, ok2 := cutPermission(wanted)
	switch {
	case !ok || !ok2:
		return false
	case ha == "*" && (wr == hr || strings.HasPrefix(wr, hr+":")):
		return true
	}
	return hr == "*" && (ha == "*" || ha == wa)
}

func cutPermission(p string) (resource, action string, ok bool) {
	at := strings.LastIndexByte(p, ':')
	if at < 0 {
		return "", "", false
	}
	return p[:at], p[at+1:], true
}
