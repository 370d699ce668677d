package token

import (
	"slices"
	"strings"
)

// issuerPattern is an issuer of a wildcard site, such as "https://*.example.com": a star is one label of a host name.
type issuerPattern string

// ownIssuers are the gateway's own issuers.
type ownIssuers struct {
	exact map[string]bool
	wild  []issuerPattern
}

func newOwnIssuers(list []string) ownIssuers {
	o := ownIssuers{exact: map[string]bool{}}
	for _, iss := range list {
		if strings.Contains(iss, "*") {
			o.wild = append(o.wild, issuerPattern(iss))
		} else if iss != "" {
			o.exact[iss] = true
		}
	}
	return o
}

// has reports whether an `iss` is one of ours.
func (o ownIssuers) has(iss string) bool {
	return o.exact[iss] || slices.ContainsFunc(o.wild, func(p issuerPattern) bool { return p.matches(iss) })
}

func (p issuerPattern) matches(iss string) bool {
	rest := iss
	for i, part := range strings.Split(string(p), "*") {
		if i > 0 {
			label := 0
			for label < len(rest) && isLabelByte(rest[label]) {
				label++
			}
			if label == 0 {
				return false
			}
			rest = rest[label:]
		}
		var ok bool
		if rest, ok = strings.CutPrefix(rest, part); !ok {
			return false
		}
	}
	return rest == ""
}

// end is what every issuer of the pattern ends with.
func (p issuerPattern) end() string { return string(p[strings.LastIndexByte(string(p), '*')+1:]) }

// isLabelByte reports whether a folded host name has this byte in its labels.
func isLabelByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
