package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// algorithm is a way to sign that a trusted issuer may use where the operator names it. Our own tokens are RS256 alone.
type algorithm struct {
	method   jwt.SigningMethod
	kty, crv string
	read     func(members map[string]any) (crypto.PublicKey, error)
}

// algorithms by their name in a header (RFC 7518 3.1, RFC 8037 3.1). Symmetric ones are not among them: a party that
// can verify such a token can create one.
var algorithms = map[string]algorithm{
	"RS256": {jwt.SigningMethodRS256, "RSA", "", readRSA},
	"ES256": {jwt.SigningMethodES256, "EC", "P-256", readEC},
	"EdDSA": {jwt.SigningMethodEdDSA, "OKP", "Ed25519", readEd25519},
}

func member(members map[string]any, name string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text(members, name))
	if err != nil {
		return nil, errors.New("its member " + name + " cannot be read")
	}
	return raw, nil
}

func readRSA(members map[string]any) (crypto.PublicKey, error) {
	n, err1 := member(members, "n")
	e, err2 := member(members, "e")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if len(e) == 0 || len(e) > 4 || len(n) > maxBits/8+1 {
		return nil, errors.New("its numbers are too large")
	}
	exponent := new(big.Int).SetBytes(e).Int64()
	if exponent > 1<<31-1 {
		return nil, errors.New("its exponent is too large")
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent)}
	return key, checkPublic(key)
}

// readEC reads a point, which must be on the curve. Both coordinates have their full length (RFC 7518 6.2.1.2).
func readEC(members map[string]any) (crypto.PublicKey, error) {
	x, err1 := member(members, "x")
	y, err2 := member(members, "y")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if len(x) != 32 || len(y) != 32 {
		return nil, errors.New("its coordinates do not have 32 bytes")
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
}

func readEd25519(members map[string]any) (crypto.PublicKey, error) {
	x, err := member(members, "x")
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, errors.New("it does not have 32 bytes")
	}
	return ed25519.PublicKey(x), nil
}
