package policy

import (
	"errors"
	"net"
	"strings"
)

var errHost = errors.New("not a host name or address")

// FoldHost makes hosts comparable: lower case, no port, no trailing dot (AZ-05).
func FoldHost(host string) (string, error) {
	if len(host) > 260 {
		return "", errHost
	}
	if strings.HasPrefix(host, "[") || strings.Contains(host, ":") {
		name, port, err := net.SplitHostPort(host)
		switch {
		case err == nil && isPort(port):
			host = name
		case strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]"):
			host = host[1 : len(host)-1]
		default:
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
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == ':':
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

func isPort(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 5
}
