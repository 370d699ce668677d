package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/nearest"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Lines are the rules that one `truxe` directive states itself.
type Lines struct {
	Public           []string // paths
	AllowRoles       []string
	AllowUsers       []string
	AllowPermissions []string
	Require          []Require
	// Files names the policy files whose rules apply here; none: all of them.
	Files []string
	// Report lets pass what rules would refuse to a signed-in user, and reports it.
	Report bool
}

// Require is one `require` line: factors of the user, or networks of the request.
type Require struct {
	Assurance identity.Assurance
	Networks  []netip.Prefix
}

// compile returns one set of what the files and the site's own lines say.
func (l Lines) compile(f Files) (*policy.Set, error) {
	var rules []policy.Rule
	var roles *policy.RoleModel
	if f != nil {
		of, err := f.RulesFor(l.Files)
		if err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		rules, roles = append(rules, of...), f.RoleModel()
	} else if len(l.Files) > 0 {
		return nil, errors.New("`policy` names files, but the global option `policies <directory>` is missing")
	}
	for _, name := range l.AllowRoles {
		if !roles.Known(name) {
			return nil, fmt.Errorf("allow role %s: the policies define no such role%s", name, nearest.Hint(name, roles.Names()))
		}
	}
	for _, permission := range l.AllowPermissions {
		if err := policy.CheckPermission(permission); err != nil {
			return nil, fmt.Errorf("allow permission: %w", err)
		}
	}
	return policy.Compile(append(rules, l.rules()...), roles)
}

// rules returns the site's own lines as rules.
func (l Lines) rules() []policy.Rule {
	var rules []policy.Rule
	for i, path := range l.Public {
		rules = append(rules, policy.Rule{ID: "caddyfile:public#" + strconv.Itoa(i+1), Effect: policy.EffectPublic,
			Paths: []string{path}})
	}
	if len(l.AllowRoles)+len(l.AllowUsers)+len(l.AllowPermissions) > 0 {
		rules = append(rules, policy.Rule{ID: "caddyfile:allow", Effect: policy.EffectAllow,
			Roles: l.AllowRoles, Users: l.AllowUsers, Permissions: l.AllowPermissions})
	}
	for i, r := range l.Require {
		rules = append(rules, policy.Rule{ID: "caddyfile:require#" + strconv.Itoa(i+1), Effect: policy.EffectRequire,
			Assurance: r.Assurance, Networks: r.Networks})
	}
	return rules
}

// Name is the same for sites with the same lines: eight bytes of a SHA-256, in hex.
func (l Lines) Name() string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode([]any{l.Files, l.rules(), l.Report})
	return hex.EncodeToString(h.Sum(nil)[:8])
}
