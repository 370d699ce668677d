package ratelimit

import "net/netip"

// Source is what an address counts as: an IPv4 address itself, also when it came as IPv4-mapped IPv6, and for IPv6 its
// /64, since one customer has at least that many addresses (LK-08). The zone of a link-local address is dropped.
// It is "" for the zero Addr, as of a unix socket.
func Source(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return ""
	}
	return p.String()
}
