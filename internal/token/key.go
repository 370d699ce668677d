package token

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const (
	minBits = 2048 // JW-07, RFC 7518 3.3
	maxBits = 8192
	// maxKeyText bounds an imported key: PKCS #8 of 8192 bits is 6.4 kB as PEM.
	maxKeyText = 64 << 10
)

var (
	errKeyFormat = errors.New("not a PEM RSA private key, nor base64 of one")
	errKeyKind   = errors.New("the key is not an RSA key; access tokens are RS256")
)

// ImportKey reads an RSA private key: PEM (PKCS #1 or #8), PEM with its line breaks written as \n, or base64 of PEM.
// Errors never repeat the input. Keys below 2048 bits, or that fail their own check, are refused (JW-07).
func ImportKey(text string) (*rsa.PrivateKey, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, `\n`, "\n"))
	if len(text) > maxKeyText {
		return nil, errKeyFormat
	}
	if !strings.HasPrefix(text, "-----") {
		raw, err := decodeAnyBase64(text)
		if err != nil {
			return nil, errKeyFormat
		}
		text = strings.ReplaceAll(string(raw), `\n`, "\n")
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errKeyFormat
	}
	key, err := parsePrivate(block.Bytes)
	if err != nil {
		return nil, err
	}
	return key, nil
}

// decodeAnyBase64 reads what operators paste: wrapped or not, padded or not, with either alphabet.
func decodeAnyBase64(text string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.Join(strings.Fields(text), ""))
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}

func parsePrivate(der []byte) (*rsa.PrivateKey, error) {
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		any, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, errKeyFormat
		}
		var ok bool
		if key, ok = any.(*rsa.PrivateKey); !ok {
			return nil, errKeyKind
		}
	}
	if err := checkPublic(&key.PublicKey); err != nil { // first: it is cheap, the check below is not for a huge key
		return nil, err
	}
	if err := key.Validate(); err != nil {
		return nil, errors.New("the RSA key fails its own check")
	}
	return key, nil
}

// checkPublic refuses weak keys (JW-07, RFC 7518 3.3).
func checkPublic(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < minBits || bits > maxBits {
		return fmt.Errorf("the RSA key has %d bits; it needs %d to %d", bits, minBits, maxBits)
	}
	if k.E < 3 || k.E%2 == 0 || k.N.Bit(0) == 0 {
		return errors.New("the RSA key has a bad exponent or modulus")
	}
	return nil
}
