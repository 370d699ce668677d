package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// The prefixes of opaque tokens. Secret scanners find them by prefix and checksum.
const (
	PrefixRefresh  = "trx_rt_"
	PrefixPersonal = "trx_pat_"
	PrefixService  = "trx_sk_"
)

const (
	secretLen   = 43 // 256 bits in base64url
	checksumLen = 6  // CRC-32 in base64url
)

var rawURL = base64.RawURLEncoding.Strict()

// NewToken returns a new token: prefix, 256 random bits, checksum.
func NewToken(prefix string) string {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	body := prefix + rawURL.EncodeToString(raw[:])
	return body + checksum(body)
}

func checksum(body string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(body)))
	return rawURL.EncodeToString(sum[:])
}

// CheckToken reports whether a text can be a token of ours at all, before anything is looked up (RT-07).
func CheckToken(prefix, s string) bool {
	if len(s) != len(prefix)+secretLen+checksumLen || s[:len(prefix)] != prefix {
		return false
	}
	body := s[:len(s)-checksumLen]
	if _, err := rawURL.DecodeString(body[len(prefix):]); err != nil {
		return false
	}
	return checksum(body) == s[len(body):] // a checksum, not a secret
}

// Hash is what is stored of a token.
func Hash(token string) [32]byte { return sha256.Sum256([]byte(token)) }
