package token

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
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
	return jwk{Kty: "RSA", Use: "sig", Alg: "RS256", Kid: kid,
		N: b64.EncodeToString(k.N.Bytes()), E: b64.EncodeToString(big.NewInt(int64(k.E)).Bytes())}
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
