package policy

import (
	"errors"
	"strings"
)

var errHost = errors.New("not a host name or address")

// FoldHost makes hosts comparable: lower case, no port, no trailing dot (AZ-05).
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
	for i := range len(host) {
		switch c := host[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == ':': // a colon only in an IPv6 address
		case c >= 'A' && c <= 'Z':
			upper = true
		default:
			return "", errHost
		}
	}
	if upper {
		host = strings.ToLower(host)
	}
	return host, nil
}

// withoutPort cuts the port and the brackets of an IPv6 address.
func withoutPort(host string) (string, bool) {
	if host[0] == '[' {
		name, rest, ok := strings.Cut(host[1:], "]")
		return name, ok && (rest == "" || rest[0] == ':' && isPort(rest[1:]))
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
