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

// AddressKey is the key of a client's address at a Site. Clients without an address, as of a unix socket, share one.
func AddressKey(a netip.Addr) string { return "ip:" + Source(a) }

// UserKey is the key of a user at a Site.
func UserKey(id string) string { return "user:" + id }
