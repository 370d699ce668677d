package token

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/strictjson"
)

// maxKeys bounds a set: honest issuers have two or three.
const maxKeys = 100

// trustedKey is a public key of another issuer, good for one algorithm.
type trustedKey struct {
	kid string // "" when the issuer names none
	alg string
	key crypto.PublicKey
}

// keySet is an issuer's keys, in a fixed order.
type keySet []trustedKey

// find returns the key that a header names. It must be of the header's algorithm: the key decides how a signature is
// checked, never the token (JW-02). A token that names no kid means the one key of its algorithm; of several, none.
func (s keySet) find(h header) crypto.PublicKey {
	var found crypto.PublicKey
	for _, k := range s {
		switch {
		case k.alg != h.alg:
		case h.kid != "" && k.kid == h.kid:
			return k.key
		case h.kid == "" && found != nil:
			return nil
		case h.kid == "":
			found = k.key
		}
	}
	return found
}

func (s keySet) equal(other keySet) bool {
	return slices.EqualFunc(s, other, func(a, b trustedKey) bool {
		same, ok := a.key.(interface{ Equal(crypto.PublicKey) bool })
		return a.kid == b.kid && a.alg == b.alg && ok && same.Equal(b.key)
	})
}

// parseJWKS reads the keys of another issuer's set (RFC 7517) that are for one of the algorithms. Keys for other uses,
// and those that are weak or cannot be read (JW-07), are left out; a set without one good key, or that names one kid
// twice, is an error.
func parseJWKS(raw []byte, algs []string) (keySet, error) {
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := strictjson.Decode(raw, &set, strictjson.Options{AllowUnknown: true}); err != nil {
		return nil, fmt.Errorf("not a JWK set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the JWK set has more than %d keys", maxKeys)
	}
	var keys keySet
	var refused error
	for _, members := range set.Keys {
		kid := text(members, "kid")
		_, named := members["kid"]
		alg := signs(members, algs)
		if alg == "" || named && kid == "" || len(kid) > maxName {
			continue
		}
		key, err := algorithms[alg].read(members)
		if err != nil {
			refused = fmt.Errorf("key %.64q: %w", kid, err)
			continue
		}
		if named && slices.ContainsFunc(keys, func(k trustedKey) bool { return k.kid == kid }) {
			return nil, fmt.Errorf("kid %.64q is there twice", kid)
		}
		keys = append(keys, trustedKey{kid, alg, key})
	}
	if len(keys) == 0 {
		return nil, errors.Join(errors.New("the JWK set has no usable key for "+strings.Join(algs, ", ")), refused)
	}
	slices.SortStableFunc(keys, func(a, b trustedKey) int {
		return cmp.Or(strings.Compare(a.kid, b.kid), strings.Compare(a.alg, b.alg))
	})
	return keys, nil
}

// signs returns the algorithm that a key is for, "" when it is for another one. A key is held to what its set says of
// it (JW-02), and a member of a wrong type is not "absent".
func signs(members map[string]any, algs []string) string {
	if use, there := members["use"]; there && use != "sig" {
		return ""
	}
	if ops, there := members["key_ops"]; there && !slices.Contains(texts(ops), "verify") {
		return ""
	}
	for _, name := range algs {
		a := algorithms[name]
		alg, there := members["alg"]
		if members["kty"] == a.kty && (a.crv == "" || members["crv"] == a.crv) && (!there || alg == name) {
			return name
		}
	}
	return ""
}
