package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// secretLen is the length of a secret: 256 bits in base64url.
const secretLen = 43

var rawURL = base64.RawURLEncoding.Strict()

// NewSecret returns a new secret, 256 random bits as 43 characters, and the hash that is stored of them (SE-01). It is
// what the cookie of a session has, and what other values have that a browser brings back once or for a while: tickets,
// device cookies, half sign-ins, setup links.
func NewSecret() (value string, hash [32]byte) {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	return rawURL.EncodeToString(raw[:]), sha256.Sum256(raw[:])
}

// ParseSecret reads the value of a cookie or link and returns its hash. Anything but the one canonical spelling is not
// a secret (SE-08).
func ParseSecret(value string) (hash [32]byte, ok bool) {
	if len(value) != secretLen {
		return hash, false
	}
	var buf [33]byte
	n, err := rawURL.Decode(buf[:], []byte(value))
	if err != nil || n != 32 {
		return hash, false
	}
	return sha256.Sum256(buf[:32]), true
}
