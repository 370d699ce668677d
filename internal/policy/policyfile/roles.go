package policyfile

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Bounds of roles: with inheritance, what each grants is at most their product.
const (
	maxRoles       = 1000
	maxPermissions = 5000
	maxNetworks    = 1000
)

// inherited is a role named by another; whether it exists is known when all files have been read.
type inherited struct {
	r    *reader
	by   string
	word word
}

func (l *loader) roles(r *reader, n *yaml.Node) {
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.fail(n, "roles: the mapping is empty; leave roles out instead")
	}
	for _, e := range r.entries(n, "roles") {
		name := e.key.Value
		if len(l.written) == maxRoles {
			r.fail(e.key, "there are more than %d roles", maxRoles)
			return
		}
		if !validRole(name) {
			r.fail(e.key, "role %s: a name is 1 to 64 characters without spaces, commas and bars", quote(name))
			continue
		}
		if i := slices.IndexFunc(l.written, func(o policy.Role) bool { return o.Name == name }); i >= 0 {
			r.fail(e.key, "role %s is defined twice, first at %s", quote(name), l.written[i].At)
			continue
		}
		l.written = append(l.written, l.role(r, e))
	}
}

func (l *loader) role(r *reader, e pair) policy.Role {
	role := policy.Role{Name: e.key.Value, At: r.at(e.key)}
	what := "role " + quote(role.Name)
	if e.value.ShortTag() == "!!null" {
		return role
	}
	keys := r.keys(e.value, what, "inherits", "permissions", "description")
	if k, ok := keys["inherits"]; ok {
		for _, w := range r.texts(k.value, "inherits of "+what) {
			l.inherited = append(l.inherited, inherited{r, role.Name, w})
		}
	}
	if k, ok := keys["permissions"]; ok {
		for _, w := range r.texts(k.value, "permissions of "+what) {
			if err := policy.CheckPermission(w.text); err != nil {
				r.fail(w.node, "%s: %v", what, err)
				continue
			}
			if l.permissions++; l.permissions > maxPermissions {
				r.fail(w.node, "roles name more than %d permissions", maxPermissions)
				break
			}
			role.Permissions = append(role.Permissions, w.text)
		}
	}
	if k, ok := keys["description"]; ok {
		w, _ := r.text(k.value, "description of "+what)
		role.Description = w.text
	}
	return role
}

// validRole holds for what accounts take as a role, so that each defined one can be granted.
func validRole(name string) bool {
	return name != "" && len(name) <= 64 && !strings.ContainsFunc(name,
		func(c rune) bool { return c <= ' ' || c == ',' || c == '|' || c == 0x7f || hidden(c) })
}

// compileRoles compiles what is sound of the roles, so that rules are checked against them also when some are not.
func (l *loader) compileRoles() {
	for _, in := range l.inherited {
		if !l.knows(in.word.text) {
			in.r.fail(in.word.node, "unknown role %s, inherited by %s%s", quote(in.word.text), quote(in.by),
				in.r.hint(in.word.text, l.roleNames()))
			continue
		}
		i := slices.IndexFunc(l.written, func(o policy.Role) bool { return o.Name == in.by })
		l.written[i].Inherits = append(l.written[i].Inherits, in.word.text)
	}
	model, err := policy.CompileRoles(l.written)
	if err == nil {
		l.doc.Roles = model
		return
	}
	for _, one := range unjoin(err) {
		if p := (*policy.Problem)(nil); errors.As(one, &p) {
			l.problems = append(l.problems, p)
			continue
		}
		l.problems.add(policy.Position{}, "roles: %v", one)
	}
}

func (l *loader) knows(role string) bool {
	return role == identity.AdminRole || slices.ContainsFunc(l.written, func(o policy.Role) bool { return o.Name == role })
}

// roleNames lists the names to choose the nearest from.
func (l *loader) roleNames() []string {
	if l.names == nil {
		l.names = []string{identity.AdminRole}
		for _, o := range l.written {
			l.names = append(l.names, o.Name)
		}
	}
	return l.names
}

func unjoin(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}

// networkName keeps names apart from addresses.
var networkName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

func (l *loader) networks(r *reader, n *yaml.Node) {
	for _, e := range r.entries(n, "networks") {
		name := e.key.Value
		if len(l.doc.Networks) == maxNetworks {
			r.fail(e.key, "there are more than %d networks", maxNetworks)
			return
		}
		if !networkName.MatchString(name) {
			r.fail(e.key, "network %s: a name is a letter and then letters, digits, - and _", quote(name))
			continue
		}
		if first, twice := l.doc.networksAt[name]; twice {
			r.fail(e.key, "network %s is defined twice, first at %s", quote(name), first)
			continue
		}
		l.doc.networksAt[name] = r.at(e.key)
		l.doc.Networks[name] = nil // known, whatever is wrong with it
		for _, w := range r.texts(e.value, "network "+quote(name)) {
			if p, err := parseNetwork(w.text); err != nil {
				r.fail(w.node, "network %s: %v", quote(name), err)
			} else {
				l.doc.Networks[name] = append(l.doc.Networks[name], p)
			}
		}
	}
}

// named reads networks that are named or written out.
func (l *loader) named(r *reader, n *yaml.Node, what string) []netip.Prefix {
	var all []netip.Prefix
	for _, w := range r.texts(n, what) {
		if known, ok := l.doc.Networks[w.text]; ok {
			all = append(all, known...)
			l.doc.networksUsed[w.text] = true
			continue
		}
		if networkName.MatchString(w.text) {
			if l.networkNames == nil {
				l.networkNames = sortedKeys(l.doc.Networks)
			}
			r.fail(w.node, "%s: unknown network %s%s", what, quote(w.text), r.hint(w.text, l.networkNames))
			continue
		}
		p, err := parseNetwork(w.text)
		if err != nil {
			r.fail(w.node, "%s: %v", what, err)
			continue
		}
		all = append(all, p)
	}
	return all
}
