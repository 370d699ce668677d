package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/truxeio/caddy-truxe/internal/identityheader"
	"github.com/truxeio/caddy-truxe/internal/nearest"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Policies are the policy files, read and checked.
type Policies interface {
	// RulesFor returns the rules of the named files, of all when none is named. An unknown name is an error.
	RulesFor(files []string) ([]policy.Rule, error)
	RoleModel() *policy.RoleModel
	// Version changes when the files do.
	Version() string
}

// Rules are the rules of all sites of one configuration: those of the policy files and those of the sites' own lines in
// one set for each site. They change together and at once, so every request is judged wholly by the old or the new ones
// (AZ-10). The zero value, and nil where only the role model is asked for, has no policy files.
type Rules struct {
	mu      sync.Mutex // of changes
	sites   []SiteConfig
	names   []string              // of them
	hosts   map[string][]int      // the sites at a folded host; "" for those without a host name
	owned   *identityheader.Owned // the header names of all sites; nil until the first one is compiled
	limited map[string]int        // how many sites with a rate limit are alike, by name
	current atomic.Pointer[rulebook]
}

// rulebook is one generation of the rules; it is never changed.
type rulebook struct {
	policies Policies
	sets     []*policy.Set // by site
}

// NewRules are rules with these policy files; nil: none.
func NewRules(p Policies) *Rules {
	r := &Rules{}
	r.current.Store(&rulebook{policies: p})
	return r
}

// headers compiles what one site's app gets. The names that it sets are removed from the requests of every site: one app may
// be reached through several directives (HD-01).
func (r *Rules) headers(c identityheader.Config) (*identityheader.Set, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owned == nil {
		r.owned = identityheader.NewOwned()
	}
	return identityheader.Compile(c, r.owned)
}

// RoleModel is what the files say of roles; nil: nothing.
func (r *Rules) RoleModel() *policy.RoleModel {
	if r == nil {
		return nil
	}
	if b := r.current.Load(); b != nil && b.policies != nil {
		return b.policies.RoleModel()
	}
	return nil
}

// Policies are the policy files in force; nil: there are none.
func (r *Rules) Policies() Policies {
	if b := r.current.Load(); b != nil {
		return b.policies
	}
	return nil
}

// Version is that of the policy files in force; "" when there are none.
func (r *Rules) Version() string {
	if b := r.current.Load(); b != nil && b.policies != nil {
		return b.policies.Version()
	}
	return ""
}

// Replace puts other policy files in force at every site. When they do not fit one of the sites nothing changes.
func (r *Rules) Replace(p Policies) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := &rulebook{policies: p}
	var errs []error
	for _, c := range r.sites {
		set, err := compileRules(c, p)
		if err != nil {
			errs = append(errs, err)
		}
		next.sets = append(next.sets, set)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	r.current.Store(next)
	return nil
}

// add compiles a site's rules and returns its number.
func (r *Rules) add(c SiteConfig) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.sites {
		if reflect.DeepEqual(r.sites[i], c) { // its rules are the same ones
			return i, nil
		}
	}
	old := r.current.Load()
	if old == nil {
		old = &rulebook{}
	}
	set, err := compileRules(c, old.policies)
	if err != nil {
		return 0, err
	}
	r.sites, r.names = append(r.sites, c), append(r.names, c.name())
	r.current.Store(&rulebook{policies: old.policies, sets: append(old.sets[:len(old.sets):len(old.sets)], set)})
	return len(r.sites) - 1, nil
}

// compileRules makes one set of what the files and the site's own lines say.
func compileRules(c SiteConfig, p Policies) (*policy.Set, error) {
	var rules []policy.Rule
	var roles *policy.RoleModel
	if p != nil {
		of, err := p.RulesFor(c.Policies)
		if err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		rules, roles = append(rules, of...), p.RoleModel()
	} else if len(c.Policies) > 0 {
		return nil, errors.New("`policy` names files, but the global option `policies <directory>` is missing")
	}
	for _, name := range c.AllowRoles {
		if !roles.Known(name) {
			return nil, fmt.Errorf("allow role %s: the policies define no such role%s", name, nearest.Hint(name, roles.Names()))
		}
	}
	for _, permission := range c.AllowPermissions {
		if err := policy.CheckPermission(permission); err != nil {
			return nil, fmt.Errorf("allow permission: %w", err)
		}
	}
	return policy.Compile(append(rules, c.rules()...), roles)
}

// rules are the site's own lines as rules.
func (c SiteConfig) rules() []policy.Rule {
	var rules []policy.Rule
	for i, path := range c.Public {
		rules = append(rules, policy.Rule{ID: "caddyfile:public#" + strconv.Itoa(i+1), Effect: policy.EffectPublic, Paths: []string{path}})
	}
	if len(c.AllowRoles)+len(c.AllowUsers)+len(c.AllowPermissions) > 0 {
		rules = append(rules, policy.Rule{ID: "caddyfile:allow", Effect: policy.EffectAllow,
			Roles: c.AllowRoles, Users: c.AllowUsers, Permissions: c.AllowPermissions})
	}
	for i, r := range c.Require {
		rules = append(rules, policy.Rule{ID: "caddyfile:require#" + strconv.Itoa(i+1), Effect: policy.EffectRequire,
			Assurance: r.Assurance, Networks: r.Networks})
	}
	return rules
}

// name is the same for sites with the same rules: eight bytes of a SHA-256, in hex.
func (c SiteConfig) name() string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode([]any{c.Policies, c.rules(), c.Report})
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// limitName returns the name of a site's rate limit: the same in the next configuration for the same lines on the same
// listener, whose sites are compiled in the order of the configuration. Sites that are alike there are numbered.
func (r *Rules) limitName(c SiteConfig, listener string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.limited == nil {
		r.limited = map[string]int{}
	}
	name := c.name() + " " + c.AppName + " " + listener
	r.limited[name]++
	return name + " " + strconv.Itoa(r.limited[name])
}

// set is the site's part of the rules in force.
func (s *Site) set() *policy.Set { return s.rules.current.Load().sets[s.number] }
