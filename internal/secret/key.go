// Package secret holds what must not be seen: encryption keys, sealed values, random tokens. Secrets print as
// [redacted], are encrypted at rest with the row as associated data, and are compared in constant time (R10).
package secret

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Key is a 256-bit encryption key.
type Key [32]byte

// String never shows the key.
func (Key) String() string { return redacted }

// GoString never shows the key.
func (Key) GoString() string { return redacted }

// MarshalText never shows the key.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "[redacted]"

const keyHint = "make one with: caddy truxe keys new-secret"

// ParseKey reads 32 bytes as base64, with or without padding and URL-safe or not, or as 64 hex characters. Keys from
// examples, and keys without variety, are refused (PW-17).
func ParseKey(text string) (Key, error) {
	var k Key
	text = strings.TrimSpace(text)
	if text == "" {
		return k, fmt.Errorf("encryption_key is empty; %s", keyHint)
	}
	var raw []byte
	var err error
	if len(text) == 64 {
		raw, err = hex.DecodeString(text)
	}
	if len(text) != 64 || err != nil {
		plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		raw, err = base64.RawStdEncoding.Strict().DecodeString(plain)
	}
	if err != nil {
		return k, fmt.Errorf("encryption_key is neither base64 nor hex; %s", keyHint)
	}
	if len(raw) != len(k) {
		return k, fmt.Errorf("encryption_key is %d bytes, needs 32; %s", len(raw), keyHint)
	}
	copy(k[:], raw)
	if weak(raw) {
		return Key{}, fmt.Errorf("encryption_key looks like an example, not like random bytes; %s", keyHint)
	}
	return k, nil
}

// weak reports whether a key cannot come from a random source: too few different bytes, steps of one, or all printable
// text. 32 random bytes have fewer than 16 different values with a chance below 2^-40, and are all printable with one
// below 2^-40.
func weak(raw []byte) bool {
	seen := map[byte]bool{}
	printable, steps := true, 0
	for i, b := range raw {
		seen[b] = true
		printable = printable && b >= ' ' && b <= '~'
		if i > 0 && b == raw[i-1]+1 {
			steps++
		}
	}
	return len(seen) < 16 || printable || steps > 24
}

// id names a key without telling anything of it.
func (k Key) id() [4]byte {
	sum := sha256.Sum256(append([]byte("truxe encryption key id:"), k[:]...))
	return [4]byte(sum[:4])
}

// derive returns a key for one purpose.
func (k Key) derive(label string, n int) []byte {
	out, err := hkdf.Key(sha256.New, k[:], nil, "truxe:"+label, n)
	if err != nil { // only a length over 255 hashes is an error
		panic(err)
	}
	return out
}
