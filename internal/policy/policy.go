// Package policy decides whether a principal may send a request. It is pure: a decision depends on its arguments alone
// and carries its reason. Order never matters: a matching deny denies; then one matching allow or public allows;
// otherwise denied, or "sign in" for an anonymous visitor whom some rule could still allow.
//
// # Paths
//
// Rules see the canonical path: percent-decoded once, dot segments and empty segments resolved. Some servers read a path
// in other ways: they decode twice, take a backslash for a slash, cut ";parameters", fold case. A request whose path
// could be read differently is judged under every such reading, and the strictest decision holds, so that no reading
// opens what the canonical one denies (R2). Letter case counts, except that a deny rule written in lower case denies
// every case: an upstream may fold it. What no two servers read alike is refused: a raw "#", control bytes, NUL,
// broken percent-encoding, invalid UTF-8. Query and fragment never match a rule.
package policy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Effect is what a matching rule does.
type Effect uint8

// The effects of CONTRACT section 10.
const (
	EffectAllow Effect = iota
	EffectPublic
	EffectDeny
)

// Rule is one rule. Empty fields match everything.
type Rule struct {
	ID     string
	Effect Effect
	// Paths: exact; a prefix ending in "/*" (or "/**"), which also matches the prefix itself with a slash; "*" is everything.
	Paths []string
	// Roles and Users: any of them. Both empty: everybody signed in.
	Roles []string
	Users []string
}

// Request is what rules see. Path is canonical; Readings are the other ways to read it.
type Request struct {
	Host     string
	Method   string
	Path     string
	Readings []string
}

// RequestOf describes a request whose path and host have been made canonical. A WebSocket over HTTP/2 is a CONNECT that
// the proxy turns into a GET, so it is judged as one; HEAD follows GET (AZ-06).
func RequestOf(r *http.Request, host string, c Path) Request {
	method := r.Method
	if method == http.MethodHead || method == http.MethodConnect {
		method = http.MethodGet
	}
	return Request{Host: host, Method: method, Path: c.Canonical, Readings: c.Readings}
}

// Decision is the answer. Without Allow, Code says why.
type Decision struct {
	Allow  bool
	Public bool // no sign-in needed
	Code   identity.Code
	Rule   string // what decided; "" is the default
}

// Set is a compiled set of rules.
type Set struct {
	public, allow, deny []rule
}

type rule struct {
	id     string
	all    bool
	exact  map[string]bool
	prefix []string // with the slash at the end
	roles  []string
	users  []string
}

// Compile checks the rules.
func Compile(rules []Rule) (*Set, error) {
	s := &Set{}
	for _, r := range rules {
		c := rule{id: r.ID, all: len(r.Paths) == 0, exact: map[string]bool{}, roles: r.Roles, users: r.Users}
		for _, p := range r.Paths {
			if err := c.addPath(p); err != nil {
				return nil, fmt.Errorf("%s: path %q: %w", r.ID, p, err)
			}
		}
		switch r.Effect {
		case EffectPublic:
			s.public = append(s.public, c)
		case EffectDeny:
			s.deny = append(s.deny, c)
		default:
			s.allow = append(s.allow, c)
		}
	}
	return s, nil
}

var errPath = errors.New("write an exact path such as /healthz, a prefix such as /static/*, or *")

func (r *rule) addPath(p string) error {
	if p == "*" || p == "/*" || p == "/**" {
		r.all = true
		return nil
	}
	if before, ok := strings.CutSuffix(p, "/**"); ok {
		p = before + "/*"
	}
	prefix, isPrefix := strings.CutSuffix(p, "*")
	if isPrefix && !strings.HasSuffix(prefix, "/") || strings.ContainsAny(prefix, "*?#%\\;") {
		return errPath
	}
	path, err := canonical(prefix)
	if err != nil || path.Canonical != prefix || len(path.Readings) > 0 {
		return errPath
	}
	if isPrefix {
		r.prefix = append(r.prefix, prefix)
	} else {
		r.exact[prefix] = true
	}
	return nil
}

func (r *rule) matches(path string) bool {
	if r.all || len(r.exact) > 0 && r.exact[path] {
		return true
	}
	for _, p := range r.prefix {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

func (r *rule) admits(p *identity.Principal) bool {
	if len(r.roles)+len(r.users) == 0 {
		return true
	}
	return slices.Contains(r.users, p.Username) || slices.ContainsFunc(r.roles, p.HasRole)
}

// Decide judges a request under every reading of its path; the strictest decision holds.
func (s *Set) Decide(r Request, p *identity.Principal) Decision {
	d := s.decide(r.Path, p)
	for _, path := range r.Readings {
		if other := s.decide(path, p); stricter(other, d) {
			d = other
		}
	}
	return d
}

// stricter: a refusal before an admission, and an admission that needs a sign-in before a public one.
func stricter(a, b Decision) bool {
	if a.Allow != b.Allow {
		return !a.Allow
	}
	return b.Public && !a.Public
}

func (s *Set) decide(path string, p *identity.Principal) Decision {
	for i := range s.deny {
		if r := &s.deny[i]; (r.matches(path) || r.matches(strings.ToLower(path))) && (p == nil && len(r.roles)+len(r.users) == 0 || p != nil && r.admits(p)) {
			return Decision{Code: identity.CodeRuleDenied, Rule: r.id}
		}
	}
	for i := range s.public {
		if r := &s.public[i]; r.matches(path) {
			return Decision{Allow: true, Public: true, Rule: r.id}
		}
	}
	if p == nil {
		return Decision{Code: identity.CodeLoginRequired}
	}
	if len(s.allow) == 0 {
		return Decision{Allow: true}
	}
	for i := range s.allow {
		if r := &s.allow[i]; r.matches(path) && r.admits(p) {
			return Decision{Allow: true, Rule: r.id}
		}
	}
	return Decision{Code: identity.CodeRoleRequired}
}
