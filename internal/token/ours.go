package token

import (
	"strings"

	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/strictjson"
)

// maxPeek bounds how much of a stranger's token is looked at.
const maxPeek = 64 << 10

// Ours reports whether a bearer value is ours to judge (CONTRACT section 3): it has a prefix of ours, or it is shaped
// like a JWT whose `iss` we know. Where its claims have one reading only, that reading decides; where they have
// several, or none (a name that appears twice, broken JSON or base64), the token is ours as soon as one of our issuers
// is mentioned. A broken token of ours is ours, and refused. Tokens that our ring signs are known by their first
// segment, for 20 ns.
func (v *Verifier) Ours(raw string) bool {
	for _, prefix := range []string{secret.PrefixRefresh, secret.PrefixPersonal, secret.PrefixService} {
		if strings.HasPrefix(raw, prefix) {
			return true
		}
	}
	head, rest, ok := strings.Cut(raw, ".")
	if !ok {
		return false
	}
	if v.cfg.Ring.current.Load().heads[head] {
		return true
	}
	middle, _, ok := strings.Cut(rest, ".")
	if !ok {
		return false
	}
	return v.namesIssuer(lenientBase64(middle[:min(len(middle), maxPeek)]))
}

func (v *Verifier) namesIssuer(body []byte) bool {
	if !v.mentionsIssuer(string(body)) { // most tokens of others; this is much cheaper than reading them
		return false
	}
	var claims map[string]any
	if strictjson.Decode(body, &claims, strictjson.Options{AllowUnknown: true}) != nil {
		return true
	}
	for name, value := range claims {
		if !strings.EqualFold(name, "iss") {
			continue
		}
		list := texts(value)
		if s, ok := value.(string); ok {
			list = []string{s}
		}
		for _, iss := range list {
			if v.own.has(iss) || v.trust[iss] != nil {
				return true
			}
		}
	}
	return false
}

// mentionsIssuer looks for our issuers' names in a text, as it stands and with its escapes resolved.
func (v *Verifier) mentionsIssuer(s string) bool {
	if strings.Contains(s, `\`) {
		s += "\n" + unescape(s)
	}
	for iss := range v.own.exact {
		if strings.Contains(s, iss) {
			return true
		}
	}
	for _, p := range v.own.wild {
		if strings.Contains(s, p.end()) {
			return true
		}
	}
	for iss := range v.trust {
		if strings.Contains(s, iss) {
			return true
		}
	}
	return false
}

// lenientBase64 decodes what any decoder might: both alphabets, and other characters skipped.
func lenientBase64(s string) []byte {
	out := make([]byte, 0, len(s)*3/4)
	var bits uint32
	n := 0
	for i := range len(s) {
		var six uint32
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			six = uint32(c - 'A')
		case c >= 'a' && c <= 'z':
			six = uint32(c-'a') + 26
		case c >= '0' && c <= '9':
			six = uint32(c-'0') + 52
		case c == '-' || c == '+':
			six = 62
		case c == '_' || c == '/':
			six = 63
		default:
			continue
		}
		bits = bits<<6 | six
		if n += 6; n >= 8 {
			n -= 8
			out = append(out, byte(bits>>n))
		}
	}
	return out
}

// unescape resolves the escapes of JSON strings, wherever they stand.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if s[i] == 'u' && i+4 < len(s) {
			n := 0
			for _, c := range []byte(s[i+1 : i+5]) {
				n = n<<4 | strings.IndexByte("0123456789abcdef", c|0x20)&15
			}
			b.WriteRune(rune(n))
			i += 4
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
