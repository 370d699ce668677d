package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// outcome returns what a matching rule says about this request, as a decision asks it.
func (j *judgement) outcome(r *Request, c *compiled, path string) (Outcome, string) {
	p, truth, condition := j.person, True, ""
	if c.when != nil {
		who := p
		if who == nil && c.effect != EffectAllow {
			who = Anonymous
		}
		truth = j.truth(r, c, path, who)
		condition = [...]string{"condition is false: ", "", "condition depends on who signs in: ",
			"condition failed: "}[truth] + c.when.String()
	}
	switch {
	case truth == False, truth == Failed && !c.strict():
		return No, condition
	case c.effect == EffectRequire:
		return c.required(r, p)
	case c.effect == EffectPublic:
		if truth == True {
			return Yes, "everyone"
		}
		return No, condition
	case !c.admits(p) && (c.effect == EffectAllow || !c.anybody):
		return No, c.lacks(p)
	case truth != True:
		return Yes, condition // counts as true
	}
	return Yes, j.through(c)
}

// required reports whether a require rule holds, and why or why not.
func (c *compiled) required(r *Request, p *identity.Principal) (Outcome, string) {
	switch c.unmet(r, p) {
	case "":
		if len(c.networks) > 0 {
			return Yes, "from " + address(r.Addr)
		}
		return Yes, "all of it holds"
	case identity.CodeNetworkDenied:
		return Unmet, address(r.Addr) + " is not in " + some(written(c.networks))
	case identity.CodeLoginRequired:
		return Unmet, "no user is signed in"
	case identity.CodeMFARequired:
		if slices.Equal(p.AMR, []string{identity.AMRPassword}) {
			return Unmet, "this session has only a password"
		}
		return Unmet, "this session has no second factor"
	case identity.CodePasskeyRequired:
		return Unmet, "this session has no passkey"
	case identity.CodeReauthRequired:
		return Unmet, stale(c.ask, p, r.Now)
	}
	return Unmet, c.lacks(p)
}

// stale describes how long ago it was proven.
func stale(a identity.Assurance, p *identity.Principal, now time.Time) string {
	proven := p.AuthTime
	if a.MFA {
		proven = p.MFATime
	}
	if a.Passkey {
		proven = p.PasskeyTime
	}
	switch age := now.Sub(proven).Round(time.Second); {
	case proven.IsZero():
		return "never proven by a person"
	case age < 0:
		return "proven in the future"
	default:
		return "proven " + age.String() + " ago, at most " + a.MaxAge.String() + " is allowed"
	}
}

// lacks describes why the principal is not one of those that a rule names.
func (c *compiled) lacks(p *identity.Principal) string {
	if p == nil {
		return "no user is signed in"
	}
	var why []string
	note := func(names []string, one, many string) {
		switch len(names) {
		case 0:
		case 1:
			why = append(why, one+names[0])
		default:
			why = append(why, many+some(names))
		}
	}
	note(c.roles, "role is not ", "no role among ")
	note(c.source.Permissions, "no role grants ", "no role grants any of ")
	note(c.users, "user is not ", "user is not one of ")
	note(c.clients, "client is not ", "client is not one of ")
	return strings.Join(why, "; ")
}

// through describes why the principal is one of those that a rule names.
func (j *judgement) through(c *compiled) string {
	p := j.person
	if c.anybody {
		if c.strict() {
			return "everyone"
		}
		return "all signed-in users"
	}
	for _, role := range c.roles {
		if p.HasRole(role) {
			return "through role " + role
		}
	}
	for _, permission := range c.source.Permissions {
		if role, ok := j.set.roles.Allows(p.Roles, permission); ok {
			return permission + " through role " + role
		}
	}
	if p.ClientID != "" && slices.Contains(c.clients, p.ClientID) {
		return "client is " + p.ClientID
	}
	return "user is " + LocalName(p)
}

// remedy describes what would change a refusal. It has tried what it proposes.
func (s *Set) remedy(r Request, p *identity.Principal, d Decision) string {
	try := func(r Request, p *identity.Principal, what string) string {
		if got := s.Decide(r, p); got.Allow || got.stepUp() {
			return what + ": " + got.Verdict() + "."
		}
		return ""
	}
	switch {
	case d.Allow:
		return ""
	case d.stepUp():
		proven := *p
		proven.AuthTime, proven.MFATime, proven.PasskeyTime = r.Now, r.Now, r.Now
		what := "After confirming who you are once more"
		switch {
		case d.Ask.Passkey:
			what = "After a passkey"
		case d.Code == identity.CodeMFARequired:
			what = "After a second factor"
		}
		return try(r, &proven, what)
	case d.NeedLogin:
		return s.firstOf(r, &identity.Principal{}, "After signing in", try)
	case d.Code == identity.CodeNetworkDenied:
		for _, i := range s.near(&r, r.Path) {
			if c := &s.rules[i]; c.id == d.Rule && len(c.networks) > 0 {
				inside := r
				inside.Addr = c.networks[0].Addr()
				return try(inside, p, "From "+some(written(c.networks)))
			}
		}
	case d.Code == identity.CodeRoleRequired, d.Code == identity.CodePermissionRequired:
		return s.firstOf(r, p, "", try)
	}
	return ""
}

// firstOf finds what a user would have to be, among those that the rules about this request name.
func (s *Set) firstOf(r Request, p *identity.Principal, before string,
	try func(Request, *identity.Principal, string) string) string {
	if before != "" {
		if said := try(r, p, before); said != "" {
			return said
		}
		before += " "
	}
	tried := 0
	for _, i := range s.near(&r, r.Path) {
		c := &s.rules[i]
		if c.effect == EffectDeny || c.report || c.anybody || !c.matches(&r, r.Path, true) {
			continue
		}
		if tried++; tried > 20 {
			break
		}
		who, what := *p, ""
		switch {
		case len(c.roles) > 0:
			who.Roles, what = append(slices.Clone(p.Roles), c.roles[0]), "with role "+some(c.roles)
		case len(c.granting) > 0:
			who.Roles, what = append(slices.Clone(p.Roles), c.granting[len(c.granting)-1]), "with permission "+
				some(c.source.Permissions)+" (role "+some(c.granting)+")"
		case len(c.users) > 0:
			who.UserID, who.Username, what = "", c.users[0], "as user "+some(c.users)
		case len(c.clients) > 0:
			who.ClientID, what = c.clients[0], "through client "+some(c.clients)
		}
		if said := try(r, &who, before+what); said != "" {
			return strings.ToUpper(said[:1]) + said[1:]
		}
	}
	return ""
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return "an unknown address"
	}
	return a.Unmap().WithZone("").String()
}

func written(networks []netip.Prefix) []string {
	var out []string
	for _, n := range networks {
		out = append(out, n.String())
	}
	return out
}
