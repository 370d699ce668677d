package rules

import (
	"fmt"
	"slices"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// SourceRules lists the rules in force in their source form: those of the files, once, and those of each site; or what
// holds at one host. A host without a site of ours is an error.
func (b *Book) SourceRules(host string) ([]policy.Rule, error) {
	folded := ""
	if host != "" {
		var err error
		if folded, err = policy.FoldHost(host); err != nil {
			return nil, fmt.Errorf("%q is no host name", host)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &listing{inForce: b.Files(), seen: map[string]bool{}, host: folded}
	if host == "" {
		return l.all(b)
	}
	at := b.at(folded)
	if len(at) == 0 {
		return nil, fmt.Errorf("no site of this gateway has the host %q", host)
	}
	for _, n := range at {
		if err := l.site(b.sites[n]); err != nil {
			return nil, err
		}
	}
	return l.rules, nil
}

// listing gathers rules, each of the files once.
type listing struct {
	inForce Files
	seen    map[string]bool
	host    string
	rules   []policy.Rule
}

func (l *listing) all(b *Book) ([]policy.Rule, error) {
	if err := l.files(nil); err != nil {
		return nil, err
	}
	for i, lines := range b.sites {
		for _, rule := range lines.rules() {
			for host, at := range b.hosts {
				if host != "" && slices.Contains(at, i) {
					rule.Hosts = append(rule.Hosts, host)
				}
			}
			slices.Sort(rule.Hosts)
			l.rules = append(l.rules, rule)
		}
	}
	return l.rules, nil
}

func (l *listing) site(lines Lines) error {
	if err := l.files(lines.Files); err != nil {
		return err
	}
	for _, rule := range lines.rules() {
		rule.Hosts = []string{l.host}
		l.rules = append(l.rules, rule)
	}
	return nil
}

func (l *listing) files(names []string) error {
	if l.inForce == nil {
		return nil
	}
	rules, err := l.inForce.RulesFor(names)
	if err != nil {
		return err
	}
	for _, rule := range rules {
		here := l.host == "" || len(rule.Hosts) == 0 || slices.ContainsFunc(rule.Hosts, func(h string) bool {
			folded, err := policy.FoldHost(h)
			return err == nil && folded == l.host
		})
		if here && !l.seen[rule.ID] {
			l.seen[rule.ID] = true
			l.rules = append(l.rules, rule)
		}
	}
	return nil
}
