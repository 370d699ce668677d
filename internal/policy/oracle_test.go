package policy_test

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// oracle is a second opinion on CONTRACT section 10: slow, written from the text, and without a line of the engine. It
// reads the rules as they are written: paths are regular expressions, permissions are looked up role by role.
type oracle struct {
	rules []policy.Rule
	roles []policy.Role
	when  map[string]twin
}

// twin is a condition written in Go.
type twin func(r policy.Request, path string, p *identity.Principal, signedIn bool) policy.Truth

// verdict is what a decision says, without what rules in report mode say.
type verdict struct {
	allow, public, login bool
	code                 identity.Code
	rule, reason         string
	mfa, passkey         bool
	maxAge               time.Duration
}

// level: how open it is.
func (v verdict) level() int {
	switch {
	case v.public:
		return 3
	case v.allow:
		return 2
	case v.login || v.stepUp():
		return 1
	}
	return 0
}

func (v verdict) stepUp() bool { return v.mfa || v.passkey || v.maxAge > 0 }

// decide judges all readings and takes the strictest; what several want proven is wanted together.
func (o oracle) decide(r policy.Request, p *identity.Principal, reported bool) verdict {
	var all []verdict
	for _, path := range append([]string{r.Path}, r.Readings...) {
		all = append(all, o.reading(r, path, p, reported))
	}
	least := 3
	for _, v := range all {
		least = min(least, v.level())
	}
	at := slices.IndexFunc(all, func(v verdict) bool { return v.level() == least })
	out := all[at]
	if out.stepUp() {
		for _, v := range all {
			if v.level() == least && v.stepUp() {
				out = together(out, v)
			}
		}
		out.code = lacking(out, p, r.Now)
	}
	return out
}

func together(a, b verdict) verdict {
	a.mfa, a.passkey = a.mfa || b.mfa, a.passkey || b.passkey
	if a.maxAge == 0 || b.maxAge > 0 && b.maxAge < a.maxAge {
		a.maxAge = b.maxAge
	}
	return a
}

func lacking(v verdict, p *identity.Principal, now time.Time) identity.Code {
	proven := p.AuthTime
	if v.mfa {
		proven = p.MFATime
		if proven.IsZero() {
			return "mfa_required"
		}
	}
	if v.passkey {
		proven = p.PasskeyTime
		if proven.IsZero() {
			return "passkey_required"
		}
	}
	if v.maxAge > 0 && (proven.IsZero() || proven.Before(now.Add(-v.maxAge)) || proven.After(now.Add(time.Minute))) {
		return "reauth_required"
	}
	return ""
}

// reading judges one path: (1) deny, (2) require, (3) allow or public, (4) the default.
func (o oracle) reading(r policy.Request, path string, p *identity.Principal, reported bool) verdict {
	var denies, unmet, publics, allows, refuses []verdict
	closed, couldBe := false, false
	for _, rule := range o.rules {
		if rule.Report && !reported {
			continue
		}
		if rule.FromFile || rule.Effect == policy.EffectAllow {
			closed = true
		}
		if !o.about(rule, r, path) {
			continue
		}
		refusing := rule.Effect == policy.EffectDeny || rule.Effect == policy.EffectRequire
		now, later := o.truth(rule, r, path, p)
		switch {
		case refusing && now == policy.False:
			continue
		case rule.Effect == policy.EffectDeny:
			if forEveryone(rule) || p != nil && o.named(rule, p) {
				denies = append(denies, verdict{code: "rule_denied", rule: rule.ID, reason: rule.Reason})
			}
		case rule.Effect == policy.EffectRequire:
			if v, ok := o.required(rule, r, p); !ok {
				unmet = append(unmet, v)
			}
		case rule.Effect == policy.EffectPublic:
			if now == policy.True {
				publics = append(publics, verdict{allow: true, public: true, rule: rule.ID})
			} else if p == nil && (later == policy.True || later == policy.Unknown) {
				couldBe = true
			}
		case p == nil:
			couldBe = couldBe || later == policy.True || later == policy.Unknown
		case now != policy.True:
		case o.named(rule, p):
			allows = append(allows, verdict{allow: true, rule: rule.ID})
		default:
			refuses = append(refuses, verdict{code: missing(rule), rule: rule.ID, reason: rule.Reason})
		}
	}
	if len(denies) > 0 {
		return leastID(denies)
	}
	// from where is told first, then who, then how it was proven
	for _, code := range []identity.Code{"network_denied", "role_required", "permission_required", "login_required"} {
		if some := withCode(unmet, code); len(some) > 0 {
			return leastID(some)
		}
	}
	admitted := verdict{code: "no_rule"}
	switch {
	case len(publics) > 0:
		admitted = leastID(publics)
	case !closed && p != nil:
		admitted = verdict{allow: true}
	case !closed || couldBe:
		admitted = verdict{login: true, code: "login_required"}
	case len(allows) > 0:
		admitted = leastID(allows)
	case len(withCode(refuses, "role_required")) > 0:
		admitted = leastID(withCode(refuses, "role_required"))
	case len(refuses) > 0:
		admitted = leastID(refuses)
	}
	if len(unmet) == 0 || !admitted.allow {
		return admitted
	}
	out := leastID(unmet)
	for _, v := range unmet {
		out = together(out, v)
	}
	out.code = lacking(out, p, r.Now)
	return out
}

func leastID(all []verdict) verdict {
	return slices.MinFunc(all, func(a, b verdict) int { return strings.Compare(a.rule, b.rule) })
}

func withCode(all []verdict, code identity.Code) []verdict {
	var some []verdict
	for _, v := range all {
		if v.code == code {
			some = append(some, v)
		}
	}
	return some
}

func forEveryone(rule policy.Rule) bool {
	return rule.Roles == nil && rule.Permissions == nil && rule.Users == nil && rule.Clients == nil
}

func missing(rule policy.Rule) identity.Code {
	if rule.Permissions != nil && rule.Roles == nil && rule.Users == nil && rule.Clients == nil {
		return "permission_required"
	}
	return "role_required"
}

// truth returns what a condition says now, and for an anonymous visitor what it says of whoever signs in.
func (o oracle) truth(rule policy.Rule, r policy.Request, path string,
	p *identity.Principal) (now, later policy.Truth) {
	if rule.When == nil {
		return policy.True, policy.True
	}
	t := o.when[rule.When.String()]
	if p != nil {
		return t(r, path, p, true), policy.False
	}
	return t(r, path, &identity.Principal{}, false), t(r, path, nil, true)
}

// required reports whether what a require rule wants is there.
func (o oracle) required(rule policy.Rule, r policy.Request, p *identity.Principal) (verdict, bool) {
	v := verdict{rule: rule.ID, reason: rule.Reason}
	asks := rule.Assurance.MFA || rule.Assurance.Passkey || rule.Assurance.MaxAge > 0
	switch {
	case rule.Networks != nil && !inside(r.Addr, rule.Networks):
		v.code = "network_denied"
	case p == nil && (asks || !forEveryone(rule)):
		v.login, v.code = true, "login_required"
	case p != nil && !o.named(rule, p):
		v.code = missing(rule)
	case asks:
		v.mfa, v.passkey, v.maxAge = rule.Assurance.MFA, rule.Assurance.Passkey, rule.Assurance.MaxAge
		v.code = lacking(v, p, r.Now)
	}
	return v, v.code == ""
}

// named reports whether a signed-in user is one of those that a rule names.
func (o oracle) named(rule policy.Rule, p *identity.Principal) bool {
	if forEveryone(rule) {
		return true
	}
	name := p.Username
	if strings.Contains(p.UserID, "|") {
		name = p.UserID
	}
	for _, u := range rule.Users {
		if u == name {
			return true
		}
	}
	for _, c := range rule.Clients {
		if c == p.ClientID {
			return true
		}
	}
	for _, have := range p.Roles {
		for _, want := range rule.Roles {
			if have == want {
				return true
			}
		}
		for _, want := range rule.Permissions {
			for _, held := range o.permissions(have, 0) {
				if grants(held, want) {
					return true
				}
			}
		}
	}
	return false
}

// permissions lists what a role grants.
func (o oracle) permissions(role string, depth int) []string {
	var all []string
	if role == "admin" {
		all = append(all, "*")
	}
	for _, r := range o.roles {
		if r.Name == role && depth < 20 {
			all = append(all, r.Permissions...)
			for _, parent := range r.Inherits {
				all = append(all, o.permissions(parent, depth+1)...)
			}
		}
	}
	return all
}

// grants: a held permission as a regular expression of those it covers.
func grants(held, want string) bool {
	if held == "*" {
		return true
	}
	at := strings.LastIndex(held, ":")
	resource, action := regexp.QuoteMeta(held[:at]), regexp.QuoteMeta(held[at+1:])
	switch {
	case held == "*:*":
		return strings.Contains(want, ":")
	case resource == `\*`:
		return matched(`^.*:`+action+`$`, want)
	case action == `\*`:
		return matched(`^`+resource+`:.*$`, want)
	}
	return held == want
}

// about reports whether a rule is about a request.
func (o oracle) about(rule policy.Rule, r policy.Request, path string) bool {
	refusing := rule.Effect == policy.EffectDeny || rule.Effect == policy.EffectRequire
	host, method := rule.Hosts == nil, rule.Methods == nil
	for _, h := range rule.Hosts {
		host = host || strings.ToLower(h) == r.Host
	}
	for _, m := range rule.Methods {
		method = method || m == r.Method || m == "GET" && r.Method == "HEAD"
	}
	from := rule.From == nil || inside(r.Addr, rule.From) || refusing && !r.Addr.IsValid()
	at := rule.Paths == nil && rule.Globs == nil
	for _, p := range rule.Paths {
		at = at || p == "*" || matched(pathExpression(strings.TrimSuffix(p, "*"), p != strings.TrimSuffix(p, "*"), refusing),
			path)
	}
	for _, g := range rule.Globs {
		at = at || matched(pathExpression(strings.TrimSuffix(g, "**"), strings.HasSuffix(g, "**"), refusing), path)
	}
	return host && method && from && at
}

// pathExpression writes a path as a regular expression. Refusing rules ignore case and a slash at the end, and "/a/**"
// is also "/a".
func pathExpression(base string, below, refusing bool) string {
	key := base + map[bool]string{true: " below"}[below] + map[bool]string{true: " refusing"}[refusing]
	if e, ok := expressions[key]; ok {
		return e
	}
	trimmed := strings.TrimSuffix(base, "/")
	var parts []string
	for _, s := range strings.Split(trimmed, "/") {
		if s == "*" {
			parts = append(parts, `[^/]+`)
		} else {
			parts = append(parts, regexp.QuoteMeta(s))
		}
	}
	e := `(?s)^` + strings.Join(parts, "/")
	switch {
	case below && refusing:
		e = `(?i)` + e + `(/.*)?$`
	case below:
		e += `/.*$`
	case refusing:
		e = `(?i)` + e + `/?$`
	case trimmed != base:
		e += `/$`
	default:
		e += `$`
	}
	expressions[key] = e
	return e
}

var (
	expressions = map[string]string{}
	machines    = map[string]*regexp.Regexp{}
)

func matched(expression, text string) bool {
	if machines[expression] == nil {
		machines[expression] = regexp.MustCompile(expression)
	}
	return machines[expression].MatchString(text)
}

// inside compares an address with networks bit by bit.
func inside(a netip.Addr, networks []netip.Prefix) bool {
	if !a.IsValid() {
		return false
	}
	for _, n := range networks {
		address, network, bits := a.As16(), n.Addr().As16(), n.Bits()
		if n.Addr().Is4() {
			bits += 96
		}
		same := (n.Addr().Is4() || n.Addr().Is4In6()) == (a.Is4() || a.Is4In6())
		for bit := range bits {
			same = same && address[bit/8]>>(7-bit%8)&1 == network[bit/8]>>(7-bit%8)&1
		}
		if same {
			return true
		}
	}
	return false
}
