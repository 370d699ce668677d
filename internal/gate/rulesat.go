package gate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// RegisterHosts records the hosts of a site, for questions about what is not a request. They are folded, with a port where the
// host has several, or "" for a site without a host name.
func (r *Rules) RegisterHosts(c SiteConfig, hosts ...string) error {
	n, err := r.add(c)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hosts == nil {
		r.hosts = map[string][]int{}
	}
	for _, h := range hosts {
		if !slices.Contains(r.hosts[h], n) {
			r.hosts[h] = append(r.hosts[h], n)
		}
	}
	return nil
}

// WithPolicies returns the same sites with other policy files.
func (r *Rules) WithPolicies(p Policies) (*Rules, error) {
	other := NewRules(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.sites {
		if _, err := other.add(c); err != nil {
			return nil, err
		}
	}
	other.hosts = r.hosts // never changed once a configuration runs
	return other, nil
}

// At returns the rules of a site: the one of that name at the host, with or without a port, or the first one there. It returns
// false where no site of ours has the host.
func (r *Rules) At(host, site string) (*policy.Set, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.at(host)
	if len(at) == 0 {
		return nil, false
	}
	n := at[0]
	for _, i := range at {
		if r.names[i] == site {
			n = i
		}
	}
	return r.current.Load().sets[n], true
}

// at returns the sites at a folded host: those of its exact name, then those of a wildcard, as Caddy matches them, then those
// without a host name.
func (r *Rules) at(host string) []int {
	if list := r.hosts[host]; len(list) > 0 {
		return list
	}
	if folded, err := policy.FoldHost(host); err == nil && folded != host { // not one of several ports
		return r.at(folded)
	}
	for _, site := range slices.Sorted(maps.Keys(r.hosts)) {
		if strings.Contains(site, "*") && origin.Covers(site, host) {
			return r.hosts[site]
		}
	}
	return r.hosts[""]
}

// SourceRules lists the rules in force in their source form: those of the files, once, and those of each site; or what holds
// at one host. A host without a site of ours is an error.
func (r *Rules) SourceRules(host string) ([]policy.Rule, error) {
	folded := ""
	if host != "" {
		var err error
		if folded, err = policy.FoldHost(host); err != nil {
			return nil, fmt.Errorf("%q is no host name", host)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &listing{policies: r.current.Load().policies, seen: map[string]bool{}, host: folded}
	if host == "" {
		return l.all(r)
	}
	at := r.at(folded)
	if len(at) == 0 {
		return nil, fmt.Errorf("no site of this gateway has the host %q", host)
	}
	for _, n := range at {
		if err := l.site(r.sites[n]); err != nil {
			return nil, err
		}
	}
	return l.rules, nil
}

// listing gathers rules, each of the files once.
type listing struct {
	policies Policies
	seen     map[string]bool
	host     string
	rules    []policy.Rule
}

func (l *listing) all(r *Rules) ([]policy.Rule, error) {
	if err := l.files(nil); err != nil {
		return nil, err
	}
	for i, c := range r.sites {
		for _, rule := range c.rules() {
			for host, at := range r.hosts {
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

func (l *listing) site(c SiteConfig) error {
	if err := l.files(c.Policies); err != nil {
		return err
	}
	for _, rule := range c.rules() {
		rule.Hosts = []string{l.host}
		l.rules = append(l.rules, rule)
	}
	return nil
}

func (l *listing) files(names []string) error {
	if l.policies == nil {
		return nil
	}
	rules, err := l.policies.RulesFor(names)
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
