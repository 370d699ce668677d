package token

import (
	"encoding/base64"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/strictjson"
)

const (
	maxToken = 16 << 10 // JW-15, CVE-2025-30204
	maxName  = 256      // of a kid, jti or subject
	leeway   = 60 * time.Second
	maxTime  = 253402300799 // the end of the year 9999
)

var strictBase64 = base64.RawURLEncoding.Strict()

// known are the members of header and claims that are read. Another spelling of one of them is refused, since a
// lenient reader behind us would take it (JW-06).
var known = []string{"alg", "typ", "kid", "crit", "b64", "zip", "enc", "cty", "iss", "sub", "aud", "exp", "nbf", "iat",
	issuedMilli, "jti",
	"sid", "client_id", "auth_time",
	"amr", "acr", "roles", "permissions", "preferred_username", "email", "email_verified", "name", "token_use",
	"at_hash", "c_hash", "s_hash", "events"}

// segments splits a compact JWS: three parts of base64url without padding and in their one canonical spelling, so that
// no copy of a revoked token passes as another one (JW-05, JW-19). Length and characters are looked at first.
func segments(raw string) (head, claims, sig []byte, err error) {
	if len(raw) == 0 || len(raw) > maxToken {
		return nil, nil, nil, bad("length")
	}
	dots := 0
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == '.':
			dots++
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return nil, nil, nil, bad("character")
		}
	}
	if dots != 2 {
		return nil, nil, nil, bad("segments")
	}
	parts := strings.SplitN(raw, ".", 3)
	if head, err = strictBase64.DecodeString(parts[0]); err != nil {
		return nil, nil, nil, bad("header encoding")
	}
	if claims, err = strictBase64.DecodeString(parts[1]); err != nil {
		return nil, nil, nil, bad("claims encoding")
	}
	if sig, err = strictBase64.DecodeString(parts[2]); err != nil || len(sig) == 0 {
		return nil, nil, nil, bad("signature encoding")
	}
	return head, claims, sig, nil
}

// object reads one strict JSON object.
func object(raw []byte) (map[string]any, error) {
	var m map[string]any
	if err := strictjson.Decode(raw, &m, strictjson.Options{AllowUnknown: true}); err != nil || m == nil {
		return nil, bad("not one strict JSON object")
	}
	for name := range m {
		same := func(k string) bool { return strings.EqualFold(k, name) }
		if !slices.Contains(known, name) && slices.ContainsFunc(known, same) {
			return nil, bad("a member name in another case")
		}
	}
	return m, nil
}

// checkTime takes a finite number in the years 1970 to 9999 (JW-08).
func checkTime(claims map[string]any, name string, required bool) error {
	value, there := claims[name]
	if !there {
		if required {
			return bad(name + " is missing")
		}
		return nil
	}
	f, ok := value.(float64)
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) || f < 0 || f > maxTime {
		return bad(name)
	}
	return nil
}

// hasAudience wants one of ours, exactly (JW-09).
func hasAudience(value any, ours []string) bool {
	switch aud := value.(type) {
	case string:
		return slices.Contains(ours, aud)
	case []any:
		hit := false
		for _, one := range aud {
			s, ok := one.(string)
			if !ok {
				return false
			}
			hit = hit || slices.Contains(ours, s)
		}
		return hit
	}
	return false
}

func text(members map[string]any, name string) string {
	s, _ := members[name].(string)
	return s
}

// texts reads a list of strings; anything else is no list (AZ-09).
func texts(value any) []string {
	list, ok := value.([]any)
	if !ok || len(list) > 1000 {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, one := range list {
		s, ok := one.(string)
		if !ok {
			return nil
		}
		out = append(out, s)
	}
	return out
}

// unix reads a time that checkTime has let pass; fractions of a second are cut off.
func unix(claims map[string]any, name string) time.Time {
	f, ok := claims[name].(float64)
	if !ok {
		return time.Time{}
	}
	return time.Unix(int64(f), 0)
}

// issuedAt is when a token of ours was made, in Unix milliseconds. Nothing outside the second of iat is believed, so a
// token without the private claim, or with another one, counts as made at the start of that second: the safe side of a
// not-before (JW-14).
func issuedAt(claims map[string]any) int64 {
	start := unix(claims, "iat").UnixMilli()
	if f, ok := claims[issuedMilli].(float64); ok && f == math.Trunc(f) && f >= float64(start) && f < float64(start+1000) {
		return int64(f)
	}
	return start
}
