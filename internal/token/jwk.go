package token

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/truxeio/caddy-truxe/internal/strictjson"
)

// jwk is a public RSA key as RFC 7517 has it.
type jwk struct {
	Kty    string   `json:"kty"`
	Use    string   `json:"use,omitempty"`
	KeyOps []string `json:"key_ops,omitempty"`
	Alg    string   `json:"alg,omitempty"`
	Kid    string   `json:"kid,omitempty"`
	N      string   `json:"n"`
	E      string   `json:"e"`
}

func publicJWK(k *rsa.PublicKey, kid string) jwk {
	b64 := base64.RawURLEncoding
	return jwk{Kty: "RSA", Use: "sig", Alg: "RS256", Kid: kid, N: b64.EncodeToString(k.N.Bytes()), E: b64.EncodeToString(big.NewInt(int64(k.E)).Bytes())}
}

// thumbprint is the key id (RFC 7638): SHA-256 over the required members in the order of their names.
func thumbprint(k *rsa.PublicKey) string {
	j := publicJWK(k, "")
	raw, _ := json.Marshal(struct {
		E   string `json:"e"`
		Kty string `json:"kty"`
		N   string `json:"n"`
	}{j.E, j.Kty, j.N})
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// writeJWKS is the published set and its ETag.
func writeJWKS(keys []*ringKey) (body []byte, etag string) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range keys {
		set.Keys = append(set.Keys, publicJWK(k.public, k.record.KID))
	}
	body, _ = json.Marshal(set)
	sum := sha256.Sum256(body)
	return body, `"` + hex.EncodeToString(sum[:8]) + `"`
}

// maxKeys bounds a set: honest issuers have two or three.
const maxKeys = 100

// parseJWKS reads the RS256 keys of another issuer's set, by kid. Keys for other uses, and RSA keys that are weak or
// cannot be read (JW-07), are left out; a set without one good key, or that names one kid twice, is an error.
func parseJWKS(raw []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := strictjson.Decode(raw, &set, strictjson.Options{AllowUnknown: true}); err != nil {
		return nil, fmt.Errorf("not a JWK set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the JWK set has more than %d keys", maxKeys)
	}
	keys := map[string]*rsa.PublicKey{}
	var refused error
	for _, members := range set.Keys {
		kid := text(members, "kid")
		if kid == "" || len(kid) > maxName || !signsRS256(members) {
			continue
		}
		key, err := readJWK(members)
		if err != nil {
			refused = fmt.Errorf("key %.64q: %w", kid, err)
			continue
		}
		if keys[kid] != nil {
			return nil, fmt.Errorf("kid %.64q stands twice", kid)
		}
		keys[kid] = key
	}
	if len(keys) == 0 {
		return nil, errors.Join(errors.New("the JWK set has no usable RS256 key with a kid"), refused)
	}
	return keys, nil
}

// signsRS256 holds a key to what its set says it is for (JW-02). A member of a wrong type is not "absent".
func signsRS256(members map[string]any) bool {
	for name, want := range map[string]string{"use": "sig", "alg": "RS256"} {
		if value, there := members[name]; there && value != want {
			return false
		}
	}
	if ops, there := members["key_ops"]; there && !slices.Contains(texts(ops), "verify") {
		return false
	}
	return members["kty"] == "RSA"
}

func readJWK(members map[string]any) (*rsa.PublicKey, error) {
	n, err1 := base64.RawURLEncoding.Strict().DecodeString(text(members, "n"))
	e, err2 := base64.RawURLEncoding.Strict().DecodeString(text(members, "e"))
	if err1 != nil || err2 != nil || len(e) == 0 || len(e) > 4 || len(n) > maxBits/8+1 {
		return nil, errors.New("its numbers cannot be read")
	}
	exponent := new(big.Int).SetBytes(e).Int64()
	if exponent > 1<<31-1 {
		return nil, errors.New("its exponent is too large")
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent)}
	return key, checkPublic(key)
}
