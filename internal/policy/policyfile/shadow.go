package policyfile

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// maxCompared bounds how many pairs of rules are compared: thousands on one host with "*" in their paths could else
// keep a reload waiting.
const maxCompared = 3_000_000

// shadows finds rules that can never change a decision because another one always has decided it. What it does not see
// is not proven to matter: it compares fields and knows nothing of conditions.
func (l *linter) shadows() {
	at := map[string][]*Rule{}
	for i := range l.doc.Rules {
		r := &l.doc.Rules[i]
		for _, host := range orEvery(r.Hosts) {
			for _, glob := range orEvery(r.Globs) {
				key := host + " " + glob
				if strings.Contains(strings.TrimSuffix(glob, "/**"), "*") {
					key = host + " *"
				}
				at[key] = append(at[key], r)
			}
		}
	}
	l.likeness = map[*Rule]string{}
	for i := range l.doc.Rules {
		l.likeness[&l.doc.Rules[i]] = likeness(&l.doc.Rules[i])
	}
	compared := 0
	for i := range l.doc.Rules {
		r := &l.doc.Rules[i]
		if !l.shadowed(r, at, &compared) {
			l.find(r.At, FindManyRules, r.ID,
				fmt.Sprintf("rules from %q on were not compared with others: there are too many alike", r.ID),
				"divide them by host, or use roles").Note = true
			return
		}
	}
}

func orEvery(list []string) []string {
	if len(list) == 0 {
		return []string{""}
	}
	return list
}

// shadowed looks among the rules that could shadow r; false: too many have been compared.
func (l *linter) shadowed(r *Rule, at map[string][]*Rule, compared *int) bool {
	globs := []string{""} // what can cover the first path of r: every path, itself, /** above it, and what has a "*"
	if len(r.Globs) > 0 {
		globs = append(globs, "*", r.Globs[0])
		for base := strings.TrimSuffix(r.Globs[0], "/**"); base != ""; base = base[:strings.LastIndexByte(base, '/')] {
			globs = append(globs, base+"/**")
		}
		globs = append(globs, "/**")
	}
	for _, host := range append([]string{""}, r.Hosts[:min(1, len(r.Hosts))]...) {
		for _, glob := range globs {
			for _, s := range at[host+" "+glob] {
				if *compared++; *compared > maxCompared {
					return false
				}
				if s != r && l.shadow(s, r) {
					return true
				}
			}
		}
	}
	return true
}

// shadow reports whether s makes r idle, and says so. Of two alike the later one is the idle one.
func (l *linter) shadow(s, r *Rule) bool {
	if !coversRequests(s, r) {
		return false
	}
	elsewhere := ""
	if s.File != r.File {
		elsewhere = " wherever a site takes both files"
	}
	switch {
	case l.likeness[s] == l.likeness[r]:
		if comparePositions(s.At, r.At) > 0 {
			return false
		}
		l.find(r.At, FindDuplicate, r.ID, fmt.Sprintf("rule %q says the same as %q at %s", r.ID, s.ID, s.At),
			"remove one of them")
		return true
	case r.Report || s.Report || s.When != nil:
		return false
	case s.Effect == policy.EffectDeny && forEveryone(s) && r.Effect != policy.EffectDeny:
		l.find(r.At, FindShadowed, r.ID, fmt.Sprintf("rule %q never decides%s: %q at %s denies all of it to everyone", r.ID,
			elsewhere, s.ID, s.At), "remove it, or narrow the deny rule")
		return true
	case !idle(s, r) || idle(r, s) && r.When == nil && coversRequests(r, s) && comparePositions(s.At, r.At) > 0:
		return false
	}
	l.find(r.At, FindShadowed, r.ID, fmt.Sprintf("rule %q never decides%s: %q at %s covers it wholly", r.ID, elsewhere,
		s.ID, s.At), "remove it, or narrow the other rule")
	return true
}

// idle reports whether r adds nothing to s for requests that both are about.
func idle(s, r *Rule) bool {
	switch {
	case r.Effect == policy.EffectPublic:
		return s.Effect == policy.EffectPublic
	case r.Effect == policy.EffectAllow:
		return s.Effect == policy.EffectPublic || s.Effect == policy.EffectAllow && namesAll(s, r)
	case r.Effect == policy.EffectDeny:
		return s.Effect == policy.EffectDeny && namesAll(s, r)
	}
	a, b := s.Assurance, r.Assurance
	return s.Effect == policy.EffectRequire && (a.MFA || !b.MFA) && (a.Passkey || !b.Passkey) &&
		(b.MaxAge == 0 || a.MaxAge > 0 && a.MaxAge <= b.MaxAge && a.MFA == b.MFA && a.Passkey == b.Passkey) &&
		(len(r.Networks) == 0 || len(s.Networks) > 0 && within(s.Networks, r.Networks)) &&
		(forEveryone(r) || !forEveryone(s) && namesAll(r, s))
}

func forEveryone(r *Rule) bool {
	return len(r.Roles)+len(r.Permissions)+len(r.Users)+len(r.Clients) == 0
}

// namesAll reports whether s names every user that r names.
func namesAll(s, r *Rule) bool {
	if forEveryone(s) || forEveryone(r) {
		return forEveryone(s)
	}
	return subset(r.Roles, s.Roles) && subset(r.Users, s.Users) && subset(r.Clients, s.Clients) &&
		!slices.ContainsFunc(r.Permissions, func(p string) bool {
			return !slices.Contains(s.Permissions, p)
		})
}

func subset(small, large []string) bool {
	return !slices.ContainsFunc(small, func(x string) bool { return !slices.Contains(large, x) })
}

// coversRequests reports whether s is about every request that r is about.
func coversRequests(s, r *Rule) bool {
	if len(s.Hosts) > 0 && (len(r.Hosts) == 0 || !subset(r.Hosts, s.Hosts)) {
		return false
	}
	if len(s.Methods) > 0 && (len(r.Methods) == 0 || slices.ContainsFunc(r.Methods, func(m string) bool {
		// AZ-06
		return !slices.Contains(s.Methods, m) && (m != http.MethodHead || !slices.Contains(s.Methods, http.MethodGet))
	})) {
		return false
	}
	if len(s.From) > 0 && (len(r.From) == 0 || !within(r.From, s.From)) {
		return false
	}
	// A rule that refuses also matches an address that is not known; one that allows does not, and cannot replace it.
	if len(s.From) > 0 && refuses(r) && !refuses(s) {
		return false
	}
	return len(s.Globs) == 0 || len(r.Globs) > 0 && !slices.ContainsFunc(r.Globs, func(b string) bool {
		return !slices.ContainsFunc(s.Globs, func(a string) bool { return globCovers(a, b) })
	})
}

func refuses(r *Rule) bool {
	return r.Effect == policy.EffectDeny || r.Effect == policy.EffectRequire
}

// within reports whether all of some networks lie in others.
func within(small, large []netip.Prefix) bool {
	return !slices.ContainsFunc(small, func(n netip.Prefix) bool {
		return !slices.ContainsFunc(large, func(w netip.Prefix) bool { return w.Bits() <= n.Bits() && w.Contains(n.Addr()) })
	})
}

// globCovers reports whether a matches every path that b matches.
func globCovers(a, b string) bool {
	as, aRest := globSegments(a)
	bs, bRest := globSegments(b)
	if aRest && len(bs) < len(as) || aRest && len(bs) == len(as) && !bRest || !aRest && (bRest || len(as) != len(bs)) {
		return false
	}
	for i, want := range as {
		if want != bs[i] && (want != "*" || bs[i] == "") {
			return false
		}
	}
	return true
}

func globSegments(glob string) (segments []string, rest bool) {
	base, rest := strings.CutSuffix(glob, "/**")
	if base == "" {
		return nil, rest
	}
	return strings.Split(strings.TrimPrefix(base, "/"), "/"), rest
}

// likeness is the same for rules that differ in name, place and words alone.
func likeness(r *Rule) string {
	c := r.Rule
	c.ID, c.At, c.Reason, c.When = "", policy.Position{}, "", nil
	for _, list := range []*[]string{&c.Hosts, &c.Methods, &c.Globs, &c.Roles, &c.Permissions, &c.Users, &c.Clients} {
		*list = slices.Sorted(slices.Values(*list))
	}
	when := ""
	if r.When != nil {
		when = r.When.String()
	}
	text, _ := json.Marshal(c) // lists, texts and numbers: it cannot fail
	return when + "\x00" + string(text)
}
