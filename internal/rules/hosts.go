package rules

import (
	"maps"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// RegisterHosts records the hosts of a site, for questions about what is not a request. They are folded, with a port
// where the host has several, or "" for a site without a host name.
func (b *Book) RegisterHosts(l Lines, hosts ...string) error {
	n, err := b.add(l)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hosts == nil {
		b.hosts = map[string][]int{}
	}
	for _, h := range hosts {
		if !slices.Contains(b.hosts[h], n) {
			b.hosts[h] = append(b.hosts[h], n)
		}
	}
	return nil
}

// withFiles returns the same sites with other policy files.
func (b *Book) withFiles(f Files) (*Book, error) {
	other := NewBook(f)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.sites {
		if _, err := other.add(l); err != nil {
			return nil, err
		}
	}
	other.hosts = b.hosts // never changed once a configuration runs
	return other, nil
}

// At returns the rules of a site: the one of that name at the host, with or without a port, or the first one there. It
// returns false where no site of ours has the host.
func (b *Book) At(host, site string) (*policy.Set, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.at(host)
	if len(at) == 0 {
		return nil, false
	}
	n := at[0]
	for _, i := range at {
		if b.names[i] == site {
			n = i
		}
	}
	return b.current.Load().sets[n], true
}

// at returns the sites at a folded host: those of its exact name, then those of a wildcard, as Caddy matches them, then
// those without a host name.
func (b *Book) at(host string) []int {
	if list := b.hosts[host]; len(list) > 0 {
		return list
	}
	if folded, err := policy.FoldHost(host); err == nil && folded != host { // not one of several ports
		return b.at(folded)
	}
	for _, site := range slices.Sorted(maps.Keys(b.hosts)) {
		if strings.Contains(site, "*") && origin.Covers(site, host) {
			return b.hosts[site]
		}
	}
	return b.hosts[""]
}
