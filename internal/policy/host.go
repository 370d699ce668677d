package policy

import (
	"errors"
	"net/netip"
	"strings"
)

var errHost = errors.New("not a host name or address")

// FoldHost returns a host in a form that can be compared: lower case, no port, no trailing dot, no brackets (AZ-05). An
// internationalised name stays in its A-label form (xn--…), the only one on the wire. An empty host, label or port,
// user info, a zone and Unicode are errors.
func FoldHost(host string) (string, error) {
	if len(host) > 260 {
		return "", errHost
	}
	if strings.IndexByte(host, ':') >= 0 || host != "" && host[0] == '[' {
		var ok bool
		if host, ok = withoutPort(host); !ok {
			return "", errHost
		}
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" {
		return "", errHost
	}
	upper := false
	last := byte('.')
	for i := range len(host) {
		c := host[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == ':': // a colon only in an IPv6 address
		case c >= 'A' && c <= 'Z':
			upper = true
		case c == '.' && last != '.':
		default:
			return "", errHost
		}
		last = c
	}
	if last == '.' {
		return "", errHost
	}
	if upper {
		host = strings.ToLower(host)
	}
	return host, nil
}

// withoutPort cuts the port and the brackets of an IPv6 address. Brackets around anything else would make "[app.test]"
// another spelling of app.test.
func withoutPort(host string) (string, bool) {
	if host[0] == '[' {
		name, rest, ok := strings.Cut(host[1:], "]")
		if !ok || rest != "" && (rest[0] != ':' || !isPort(rest[1:])) {
			return "", false
		}
		addr, err := netip.ParseAddr(name)
		return name, err == nil && addr.Is6() && addr.Zone() == ""
	}
	name, port, _ := strings.Cut(host, ":")
	return name, isPort(port)
}

func isPort(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 5
}
