// Package loopback knows the names and addresses by which a machine means itself.
package loopback

import (
	"net"
	"net/netip"
	"strings"
)

// Host reports whether a host, with or without a port, names this machine: localhost and what is below it (RFC 6761
// section 6.3), 127.0.0.0/8 and ::1.
func Host(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
