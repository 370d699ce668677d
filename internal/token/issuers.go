package token

import "strings"

// issuerPattern is an issuer of a wildcard site, such as "https://*.example.com": a star is one label of a host name.
type issuerPattern string

// owns reports whether an `iss` is one of ours.
func (v *Verifier) owns(iss string) bool {
	if v.own[iss] {
		return true
	}
	for _, p := range v.wild {
		if p.matches(iss) {
			return true
		}
	}
	return false
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
