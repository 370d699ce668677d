package policyfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Finding is something in a policy that is valid and looks wrong.
type Finding struct {
	At     policy.Position `json:"-"`
	Place  string          `json:"place"`
	ID     string          `json:"id"` // names the kind of finding
	Name   string          `json:"name"`
	Text   string          `json:"text"`
	Remedy string          `json:"remedy"`
	// Note: worth knowing rather than fixing.
	Note bool `json:"note,omitempty"`
}

// String is one line of output.
func (f Finding) String() string {
	level := "warn"
	if f.Note {
		level = "note"
	}
	return fmt.Sprintf("%s  %s: %s -> %s [%s]", level, f.Place, f.Text, f.Remedy, f.ID)
}

// The kinds of findings.
const (
	FindUnusedRole       = "unused-role"
	FindEmptyRole        = "empty-role"
	FindUnusedNetwork    = "unused-network"
	FindUnusedPermission = "unused-permission"
	FindUngranted        = "ungranted-permission"
	FindUnknownArea      = "unknown-area"
	FindShadowed         = "shadowed-rule"
	FindDuplicate        = "duplicate-rule"
	FindUntested         = "untested-rule"
	FindUnknownHost      = "unknown-host"
	FindWidePublic       = "wide-public"
	FindManyRules        = "many-rules"
)

// Context is what lint knows beyond the files. All of it is optional.
type Context struct {
	Hosts  []string // hosts of the running configuration, *.example.com for one label; nil: not known
	Roles  []string // roles that the Caddyfile names
	Report *Report  // of the tests; nil: not run
}

// areas of the gateway, each with its actions (CONTRACT section 7).
var areas = map[string][]string{
	"users": {"read", "write"}, "roles": {"read", "write"}, "sessions": {"read", "write"},
	"revocations": {"read", "write"}, "policies": {"read", "write"},
	"audit": {"read", "write"}, "webhooks": {"read", "write"}, "keys": {"read", "write"}, "health": {"read"},
	"tokens": {"introspect", "read", "write"},
}

// GatewayPermissions lists what the gateway itself asks for, sorted.
func GatewayPermissions() []string {
	var all []string
	for area, actions := range areas {
		for _, action := range actions {
			all = append(all, "truxe:"+area+":"+action)
		}
	}
	slices.Sort(all)
	return all
}

// Lint finds what looks wrong, by place.
func Lint(doc *Document, c Context) []Finding {
	l := &linter{doc: doc, context: c}
	for i := range doc.Rules {
		r := &doc.Rules[i]
		l.wide(r)
		l.hosts(r)
	}
	l.shadows()
	l.roles()
	l.permissions()
	l.networks()
	if c.Report != nil {
		for _, id := range c.Report.Untested {
			if i := slices.IndexFunc(doc.Rules, func(r Rule) bool { return r.ID == id }); i >= 0 {
				l.find(doc.Rules[i].At, FindUntested, id, fmt.Sprintf("no test reaches rule %q", id),
					"add a case to a *_test.yaml that it decides")
			}
		}
	}
	slices.SortStableFunc(l.found, func(a, b Finding) int { return comparePositions(a.At, b.At) })
	return l.found
}

type linter struct {
	doc     *Document
	context Context
	found   []Finding

	likeness map[*Rule]string
}

func (l *linter) find(at policy.Position, id, name, text, remedy string) *Finding {
	l.found = append(l.found, Finding{At: at, Place: at.String(), ID: id, Name: name, Text: text, Remedy: remedy})
	return &l.found[len(l.found)-1]
}

// wide: a public rule that opens more than some paths of some hosts to everyone.
func (l *linter) wide(r *Rule) {
	if r.Effect != policy.EffectPublic || r.When != nil || len(r.From) > 0 {
		return
	}
	if len(r.Globs) == 0 || slices.Contains(r.Globs, "/**") {
		l.find(r.At, FindWidePublic, r.ID, fmt.Sprintf("rule %q opens every path to everyone, signed in or not", r.ID),
			"name the paths that must be open, such as /healthz")
	}
	if len(r.Hosts) == 0 {
		l.find(r.At, FindWidePublic, r.ID, fmt.Sprintf("rule %q holds on every host of the gateway, those added later too",
			r.ID), "name the hosts")
	}
}

func (l *linter) hosts(r *Rule) {
	if l.context.Hosts == nil {
		return
	}
	for _, h := range r.Hosts {
		if slices.ContainsFunc(l.context.Hosts, func(known string) bool { return sameHost(known, h) }) {
			continue
		}
		l.find(r.At, FindUnknownHost, r.ID, fmt.Sprintf("rule %q is about host %s, which no site has%s", r.ID, h,
			hint(h, l.context.Hosts)), "correct the name, or add `truxe` to its site")
	}
}

// sameHost: a site's name may have a label "*" (Caddy's wildcard, one label).
func sameHost(site, host string) bool {
	if folded, err := policy.FoldHost(site); err == nil {
		return folded == host
	}
	a, b := strings.Split(strings.ToLower(site), "."), strings.Split(host, ".")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != "*" && a[i] != b[i] {
			return false
		}
	}
	return true
}

// roles: those that nothing uses, and those that do nothing.
func (l *linter) roles() {
	named := map[string]bool{identity.AdminRole: true}
	for _, name := range l.context.Roles {
		named[name] = true
	}
	asked := GatewayPermissions()
	for _, r := range l.doc.Rules {
		for _, name := range r.Roles {
			named[name] = true
		}
		asked = append(asked, r.Permissions...)
		if r.When != nil { // a condition names roles in ways that only running it tells
			for _, role := range l.doc.Roles.Roles() {
				if strings.Contains(r.When.String(), role.Name) {
					named[role.Name] = true
				}
			}
		}
	}
	inherited := map[string]bool{}
	for _, role := range l.doc.Roles.Roles() {
		for _, parent := range role.Inherits {
			inherited[parent] = true
		}
	}
	for _, role := range l.doc.Roles.Roles() {
		granted := l.doc.Roles.Permissions([]string{role.Name})
		useful := slices.ContainsFunc(asked, func(p string) bool {
			return slices.ContainsFunc(granted, func(held string) bool { return policy.Covers(held, p) })
		})
		switch {
		case named[role.Name] || inherited[role.Name]:
		case len(granted) == 0:
			l.find(role.At, FindEmptyRole, role.Name, fmt.Sprintf("role %q grants nothing and no rule names it", role.Name),
				"give it permissions, name it in a rule, or remove it")
		case !useful:
			l.find(role.At, FindUnusedRole, role.Name,
				fmt.Sprintf("role %q opens nothing: no rule names it or asks for what it grants", role.Name),
				"write a rule for it, or remove it").Note = true
		}
	}
}

// permissions: those that are asked for and never granted, granted and never asked for, and slips in the gateway's own.
func (l *linter) permissions() {
	defined := l.doc.Roles.Defined()
	asked := GatewayPermissions()
	for _, r := range l.doc.Rules {
		for _, p := range r.Permissions {
			asked = append(asked, p)
			granting := slices.DeleteFunc(l.doc.Roles.Granting(p), func(role string) bool { return role == identity.AdminRole })
			if defined && len(granting) == 0 {
				l.find(r.At, FindUngranted, r.ID, fmt.Sprintf("rule %q is about permission %s, which no role but admin grants%s",
					r.ID, p, hint(p, l.granted())), "grant it to a role, or correct it")
			}
			l.area(r.At, r.ID, p)
		}
	}
	for _, role := range l.doc.Roles.Roles() {
		for _, p := range role.Permissions {
			l.area(role.At, role.Name, p)
			used := slices.ContainsFunc(asked, func(want string) bool { return policy.Covers(p, want) })
			if !used && !strings.HasPrefix(p, "truxe:") {
				l.find(role.At, FindUnusedPermission, role.Name, fmt.Sprintf("no rule asks for permission %s of role %q", p,
					role.Name), "remove it, unless an app reads it from the token").Note = true
			}
		}
	}
}

func (l *linter) granted() []string {
	var all []string
	for _, role := range l.doc.Roles.Roles() {
		all = append(all, role.Permissions...)
	}
	return all
}

// area finds permissions of the gateway that it never asks for.
func (l *linter) area(at policy.Position, name, p string) {
	known := GatewayPermissions()
	if strings.HasPrefix(p, "truxe:") && !slices.ContainsFunc(known, func(k string) bool { return policy.Covers(p, k) }) {
		l.find(at, FindUnknownArea, name, fmt.Sprintf("the gateway has no permission %s%s", p, hint(p, known)), "correct it")
	}
}

// networks that nothing uses.
func (l *linter) networks() {
	for _, name := range sortedKeys(l.doc.networksAt) {
		if !l.doc.networksUsed[name] && !slices.ContainsFunc(l.doc.Rules,
			func(r Rule) bool { return r.When != nil && strings.Contains(r.When.String(), name) }) {
			l.find(l.doc.networksAt[name], FindUnusedNetwork, name, fmt.Sprintf("no rule uses network %q", name),
				"remove it, or name it in a rule").Note = true
		}
	}
}
