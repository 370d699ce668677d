package policyfile

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// parseNetwork reads CIDR notation, or an address that stands for itself. Bits beyond the mask are an error: 10.0.0.5/8
// is as likely a slip for 10.0.0.5 as for 10.0.0.0/8.
func parseNetwork(text string) (netip.Prefix, error) {
	none := fmt.Errorf("%s is no network such as 10.0.0.0/8 or 2001:db8::/32", quote(text))
	p, err := netip.ParsePrefix(text)
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return p, none
		}
		p = netip.PrefixFrom(addr, addr.BitLen())
	} else if err != nil {
		return p, none
	}
	switch {
	case p.Addr().Is4In6() && p.Bits() >= 96:
		return p, fmt.Errorf("%s: write IPv4 networks as IPv4: %s", text,
			netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked())
	case p.Addr().Is4In6():
		return p, none
	case p.Masked() != p:
		return p, fmt.Errorf("%s has bits beyond its mask; did you mean %s?", text, p.Masked())
	}
	return p, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
