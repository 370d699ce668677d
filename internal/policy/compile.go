package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Set is a compiled set of rules. It is safe for concurrent use.
type Set struct {
	// rules are in the order in which they are asked: deny, require, public, allow, each by id, so the order in which
	// they were written cannot show.
	rules                    []compiled
	denies, requires, public int32 // where each of these ends
	all                      []int32
	index                    *index // nil: few rules, which are scanned
	roles                    *RoleModel
	open                     bool // no match: every signed-in user is allowed
	openReported             bool // the same if rules in report mode decided
	reports                  bool
	needsAddrOrTime          bool
}

// linearScanMax is how many rules are compared one by one; that is faster than indexing them.
const linearScanMax = 16

// Requires reports whether a rule depends on the address or the time of a request, or on a proof.
func (s *Set) Requires() bool { return s.needsAddrOrTime }

// Compile checks the rules and indexes them. Errors are *Problem, joined, each with the place of its rule. A nil model
// is that of policies which define no roles.
//
// A rule in report mode closes nothing: a set that has no other rules stays as open as without them.
func Compile(rules []Rule, roles *RoleModel) (*Set, error) {
	s := &Set{open: true, openReported: true, roles: roles}
	var errs []error
	ids := map[string]Position{}
	rules = slices.Clone(rules) // they are kept, for explanations
	for i := range rules {
		r := &rules[i]
		c, err := compile(r, roles)
		if first, twice := ids[r.ID]; err == nil && twice && r.ID != "" {
			err = errors.New("another rule has the same id")
			if first != (Position{}) {
				err = fmt.Errorf("another rule has the same id, at %s", first)
			}
		}
		if err != nil {
			errs = append(errs, &Problem{At: r.At, Message: fmt.Sprintf("rule %s: %v", r.ID, err)})
			continue
		}
		ids[r.ID] = r.At
		closes := r.FromFile || r.Effect == EffectAllow
		s.open = s.open && (!closes || r.Report)
		s.openReported = s.openReported && !closes
		s.reports = s.reports || r.Report
		s.needsAddrOrTime = s.needsAddrOrTime || len(c.from)+len(c.networks) > 0 || c.ask != identity.Assurance{} ||
			c.when != nil
		s.rules = append(s.rules, c)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	slices.SortStableFunc(s.rules, func(a, b compiled) int {
		if a.effect != b.effect {
			return a.effect.turn() - b.effect.turn()
		}
		return strings.Compare(a.id, b.id)
	})
	for i := range s.rules {
		s.all = append(s.all, int32(i))
		switch end := int32(i + 1); s.rules[i].effect {
		case EffectDeny:
			s.denies, s.requires, s.public = end, end, end
		case EffectRequire:
			s.requires, s.public = end, end
		case EffectPublic:
			s.public = end
		}
	}
	if len(s.rules) > linearScanMax {
		s.index = newIndex(s.rules)
	}
	return s, nil
}

// turn is when rules of an effect are asked.
func (e Effect) turn() int {
	switch e {
	case EffectDeny:
		return 0
	case EffectRequire:
		return 1
	case EffectPublic:
		return 2
	}
	return 3
}

// checkPattern refuses a pattern that no canonical path could ever match.
func checkPattern(p string) bool {
	if p == "" || p[0] != '/' || strings.ContainsAny(p, "*?#%\\;") {
		return false
	}
	path, err := canonical(p)
	return err == nil && path.Canonical == p
}
