package token

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

const (
	minBits = 2048
	maxBits = 8192
)

var (
	errKeyFormat = errors.New("not a PEM RSA private key, nor base64 of one")
	errKeyKind   = errors.New("the key is not an RSA key; access tokens are RS256")
)

// ImportKey reads an RSA private key: PEM (PKCS #1 or #8), PEM with escaped line breaks, or base64 of PEM. Errors never
// repeat the input. Keys below 2048 bits, or that fail their own check, are refused (JW-07).
func ImportKey(text string) (*rsa.PrivateKey, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, `\n`, "\n"))
	if len(text) > 64<<10 {
		return nil, errKeyFormat
	}
	if !strings.HasPrefix(text, "-----") {
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, errKeyFormat
		}
		text = strings.ReplaceAll(string(raw), `\n`, "\n")
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errKeyFormat
	}
	var key *rsa.PrivateKey
	if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		key = k
	} else if any, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		k, ok := any.(*rsa.PrivateKey)
		if !ok {
			return nil, errKeyKind
		}
		key = k
	} else {
		return nil, errKeyFormat
	}
	if err := key.Validate(); err != nil {
		return nil, errors.New("the RSA key fails its own check")
	}
	return key, checkPublic(&key.PublicKey)
}

// checkPublic refuses weak keys (JW-07, RFC 7518 3.3).
func checkPublic(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < minBits || bits > maxBits {
		return fmt.Errorf("the RSA key has %d bits; it needs %d to %d", bits, minBits, maxBits)
	}
	if k.E < 3 || k.E%2 == 0 {
		return errors.New("the RSA key has a bad exponent")
	}
	return nil
}

// jwk is a public RSA key as RFC 7517 has it.
type jwk struct {
	Kty string `json:"kty"`
	Use string `json:"use,omitempty"`
	Alg string `json:"alg,omitempty"`
	Kid string `json:"kid,omitempty"`
	N   string `json:"n"`
	E   string `json:"e"`
}

func publicJWK(k *rsa.PublicKey) jwk {
	b64 := base64.RawURLEncoding
	return jwk{Kty: "RSA", Use: "sig", Alg: "RS256", N: b64.EncodeToString(k.N.Bytes()), E: b64.EncodeToString(big.NewInt(int64(k.E)).Bytes())}
}

// thumbprint is the key id (RFC 7638): SHA-256 over the required members in order.
func thumbprint(k *rsa.PublicKey) string {
	j := publicJWK(k)
	raw, _ := json.Marshal(struct {
		E   string `json:"e"`
		Kty string `json:"kty"`
		N   string `json:"n"`
	}{j.E, j.Kty, j.N})
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// parseJWKS reads the RS256 keys of a set, by kid. Keys of other kinds and for other uses are left out; a weak RSA key is
// an error.
func parseJWKS(raw []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil || len(set.Keys) > 100 {
		return nil, errors.New("not a JWK set")
	}
	keys := map[string]*rsa.PublicKey{}
	for _, one := range set.Keys {
		var j jwk
		if json.Unmarshal(one, &j) != nil || j.Kty != "RSA" || j.Kid == "" || j.Use != "" && j.Use != "sig" || j.Alg != "" && j.Alg != "RS256" {
			continue
		}
		n, err1 := base64.RawURLEncoding.DecodeString(j.N)
		e, err2 := base64.RawURLEncoding.DecodeString(j.E)
		if err1 != nil || err2 != nil || len(e) == 0 || len(e) > 4 || len(n) > maxBits/8+1 {
			return nil, fmt.Errorf("key %.64q cannot be read", j.Kid)
		}
		key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if err := checkPublic(key); err != nil {
			return nil, fmt.Errorf("key %.64q: %w", j.Kid, err)
		}
		keys[j.Kid] = key
	}
	if len(keys) == 0 {
		return nil, errors.New("the JWK set has no RS256 key with a kid")
	}
	return keys, nil
}
