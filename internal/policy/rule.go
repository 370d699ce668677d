package policy

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/nearest"
)

// compiled is a checked rule. Its permissions have become the roles that grant them.
type compiled struct { // what every decision looks at stands first
	hosts    []string
	methods  []string
	patterns []pattern // none: every path
	from     []netip.Prefix
	effect   Effect
	report   bool
	person   bool // require: it asks for a user, or for a proof
	whom
	id       string
	when     Condition
	ask      identity.Assurance
	networks []netip.Prefix
	reason   string
	source   *Rule // as written, for explanations
}

// whom is the users that a rule names, each in one of four ways.
type whom struct {
	anybody  bool // it names no user, so it is about every request
	roles    []string
	granting []string // roles that grant one of the permissions
	users    []string
	clients  []string
}

func compile(r *Rule, roles *RoleModel) (compiled, error) {
	c := compiled{id: r.ID, effect: r.Effect, report: r.Report, methods: r.Methods, when: r.When,
		whom: whom{roles: r.Roles, users: r.Users, clients: r.Clients}, ask: r.Assurance, reason: r.Reason, source: r}
	named := len(r.Roles)+len(r.Permissions)+len(r.Users)+len(r.Clients) > 0
	c.anybody, c.person = !named, named || r.Assurance != identity.Assurance{}
	switch {
	case r.Effect < EffectAllow || r.Effect > EffectDeny:
		return c, errors.New("it has no effect: public, allow, require or deny")
	case r.Effect == EffectPublic && named:
		return c, errors.New("a public rule is for everyone; it names no role, permission, user or client")
	case r.Effect == EffectRequire && !named && r.Assurance == (identity.Assurance{}) && len(r.Networks) == 0:
		return c, errors.New("it requires nothing")
	case r.Effect != EffectRequire && (r.Assurance != (identity.Assurance{}) || len(r.Networks) > 0):
		return c, errors.New("only a require rule asks for factors or networks")
	case r.Assurance.MaxAge < 0:
		return c, errors.New("max_age is negative")
	case slices.Contains(r.Roles, "") || slices.Contains(r.Users, "") || slices.Contains(r.Methods, "") ||
		slices.Contains(r.Clients, ""):
		return c, errors.New("a role, user, client or method is empty")
	}
	for _, role := range r.Roles {
		if !roles.Known(role) {
			return c, fmt.Errorf("unknown role %q%s", role, nearest.Hint(role, roles.Names()))
		}
	}
	for _, p := range r.Permissions {
		if err := CheckPermission(p); err != nil {
			return c, err
		}
		c.granting = append(c.granting, roles.Granting(p)...)
	}
	slices.Sort(c.granting)
	c.granting = slices.Compact(c.granting)
	var err error
	if c.networks, err = networks(r.Networks); err != nil {
		return c, err
	}
	if c.from, err = networks(r.From); err != nil {
		return c, err
	}
	for _, h := range r.Hosts {
		folded, err := FoldHost(h)
		if err != nil {
			return c, fmt.Errorf("host %q: %w", h, err)
		}
		c.hosts = append(c.hosts, folded)
	}
	if c.patterns, err = patterns(c.patterns, r.Paths, caddyfilePattern); err == nil {
		c.patterns, err = patterns(c.patterns, r.Globs, globPattern)
	}
	return c, err
}

func patterns(to []pattern, texts []string, parse func(string) (pattern, error)) ([]pattern, error) {
	for _, text := range texts {
		p, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("path %q: %w", text, err)
		}
		to = append(to, p)
	}
	return to, nil
}

func networks(written []netip.Prefix) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, n := range written {
		if !n.IsValid() {
			return nil, errors.New("a network is not valid")
		}
		if n.Addr().Is4In6() { // "::ffff:10.0.0.0/104" is 10.0.0.0/8 to whoever writes it
			if n.Bits() < 96 {
				return nil, fmt.Errorf("network %s: write IPv4 networks as IPv4", n)
			}
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		}
		out = append(out, n.Masked())
	}
	return out, nil
}

// strict: rules that refuse compare strictly (package comment).
func (c *compiled) strict() bool { return c.effect >= EffectRequire }

// matches reports whether a request under one reading of its path is what the rule is about; its users and its
// condition are not looked at. wide: the path has letters beyond ASCII, or may have.
func (c *compiled) matches(r *Request, path string, wide bool) bool {
	if len(c.hosts) > 0 && !slices.Contains(c.hosts, r.Host) || len(c.methods) > 0 && !c.names(r.Method) {
		return false
	}
	return c.covers(path, wide) && (len(c.from) == 0 || c.comes(r.Addr))
}

func (c *compiled) covers(path string, wide bool) bool {
	strict := c.strict()
	for i := range c.patterns {
		if c.patterns[i].matches(path, strict, wide) {
			return true
		}
	}
	return len(c.patterns) == 0
}

func (c *compiled) names(method string) bool {
	return slices.Contains(c.methods, method) || method == http.MethodHead && slices.Contains(c.methods, http.MethodGet)
}

// comes reports whether the request is from one of the networks that the rule is limited to. An address that is not
// known is on the side that refuses.
func (c *compiled) comes(addr netip.Addr) bool {
	return within(c.from, addr) || c.strict() && !addr.IsValid()
}

func within(networks []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return addr.IsValid() && slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// byPermission: the rule names users, and by permission only.
func (w *whom) byPermission() bool {
	return len(w.roles)+len(w.users)+len(w.clients) == 0
}

// admits reports whether a signed-in user is one of those that the rule names.
func (w *whom) admits(p *identity.Principal) bool {
	if p == nil {
		return false
	}
	if w.anybody || common(w.roles, p.Roles) || common(w.granting, p.Roles) {
		return true
	}
	if p.ClientID != "" && slices.Contains(w.clients, p.ClientID) {
		return true
	}
	name := LocalName(p)
	return name != "" && slices.Contains(w.users, name)
}

// common reports whether two lists have an entry in common. Role names compare exactly (AZ-09).
func common(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// LocalName is the name under which rules know a user: names of a trusted issuer's users are not ours (OIDC Core
// 5.7).
func LocalName(p *identity.Principal) string {
	if strings.IndexByte(p.UserID, '|') >= 0 {
		return p.UserID
	}
	return p.Username
}
