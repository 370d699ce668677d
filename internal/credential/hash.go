package credential

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// ownBcrypt begins our bcrypt hashes. bcrypt cuts at 72 bytes and some implementations at NUL, so the password is
// always hashed first: HMAC-SHA-256 with a fixed label as key (it separates domains, it is no secret), as base64
// without NUL (PW-03, CVE-2025-22228). A plain $2b$ hash comes from an import and is replaced at the next sign-in.
const ownBcrypt = "$truxe-bcrypt-sha256$v=1"

var prehashLabel = []byte("truxe password prehash v1")

func prehash(password string) []byte {
	mac := hmac.New(sha256.New, prehashLabel)
	mac.Write([]byte(password))
	sum := mac.Sum(nil)
	out := make([]byte, base64.RawStdEncoding.EncodedLen(len(sum)))
	base64.RawStdEncoding.Encode(out, sum)
	return out
}

// Limits of stored parameters: a hash that asks for more is refused, not executed (PW-14).
const (
	minCost, maxCost = 10, 15
	minImportCost    = 4 // imported hashes of low cost verify once and are renewed
	maxMemory        = 256 << 10
	maxTime          = 10
	maxThreads       = 16
)

// Parameters of argon2id (OWASP: at least 19 MiB, t=2, p=1).
type Parameters struct {
	MemoryKiB uint32
	Time      uint32
	Threads   uint8
}

// parsed is a stored hash.
type parsed struct {
	bcrypt string // the bcrypt text, "" for argon2id
	ours   bool   // bcrypt over the prehash
	cost   int
	argon  Parameters
	salt   []byte
	sum    []byte
}

// Errors of stored hashes.
var (
	errHash       = errors.New("not a bcrypt or argon2id hash")
	errPrefix2x   = errors.New("the hash begins with $2x$, which marks a broken algorithm")
	errArgonKind  = errors.New("only argon2id of version 19 is supported, not argon2i, argon2d or version 16")
	errExpensive  = errors.New("the hash asks for more time or memory than is allowed")
	errParameters = errors.New("the parameters of the hash cannot be read")
)

// CheckHash reports whether a hash from an import can be used.
func CheckHash(stored string) error {
	_, err := parseHash(stored)
	return err
}

func parseHash(stored string) (parsed, error) {
	var p parsed
	if len(stored) > 512 {
		return p, errHash
	}
	if rest, ok := strings.CutPrefix(stored, ownBcrypt); ok {
		p.ours = true
		stored = rest
	}
	switch {
	case strings.HasPrefix(stored, "$2x$"):
		return p, errPrefix2x
	case strings.HasPrefix(stored, "$2a$"), strings.HasPrefix(stored, "$2b$"), strings.HasPrefix(stored, "$2y$"):
		if len(stored) != 60 {
			return p, errHash
		}
		cost, err := bcrypt.Cost([]byte(stored))
		if err != nil {
			return p, errHash
		}
		if cost > maxCost {
			return p, errExpensive
		}
		if cost < minImportCost || strings.ContainsFunc(stored[7:], notBcrypt) {
			return p, errHash
		}
		p.bcrypt, p.cost = stored, cost
		return p, nil
	case p.ours:
		return p, errHash
	case strings.HasPrefix(stored, "$argon2"):
		return parseArgon(stored)
	}
	return p, errHash
}

func notBcrypt(r rune) bool {
	return !(r == '.' || r == '/' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
}

// parseArgon reads the PHC string $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
func parseArgon(stored string) (parsed, error) {
	var p parsed
	fields := strings.Split(stored, "$")
	if len(fields) < 2 || fields[1] != "argon2id" || len(fields) == 6 && fields[2] != "v=19" {
		return p, errArgonKind
	}
	if len(fields) != 6 {
		return p, errHash
	}
	values := [3]uint64{}
	parts := strings.Split(fields[3], ",")
	if len(parts) != 3 {
		return p, errParameters
	}
	for i, name := range []string{"m=", "t=", "p="} {
		text, ok := strings.CutPrefix(parts[i], name)
		n, err := strconv.ParseUint(text, 10, 32)
		if !ok || err != nil || n == 0 {
			return p, errParameters
		}
		values[i] = n
	}
	if values[0] > maxMemory || values[1] > maxTime || values[2] > maxThreads || values[0] < 8*values[2] {
		return p, errExpensive
	}
	var err, err2 error
	p.salt, err = base64.RawStdEncoding.Strict().DecodeString(fields[4])
	p.sum, err2 = base64.RawStdEncoding.Strict().DecodeString(fields[5])
	if errors.Join(err, err2) != nil || len(p.salt) < 8 || len(p.salt) > 64 || len(p.sum) < 16 || len(p.sum) > 64 {
		return p, errParameters
	}
	p.argon = Parameters{MemoryKiB: uint32(values[0]), Time: uint32(values[1]), Threads: uint8(values[2])}
	return p, nil
}

// verify compares. Cost and memory have been bounded.
func (p parsed) verify(password string) bool {
	switch {
	case p.ours:
		return bcrypt.CompareHashAndPassword([]byte(p.bcrypt), prehash(password)) == nil
	case p.bcrypt != "":
		// an import: what it was made of was cut at 72 bytes, so no user can have a longer password (PW-03)
		raw := []byte(password)
		fits := len(raw) <= 72 && !strings.Contains(password, "\x00")
		if !fits {
			raw = prehash(password)
		}
		return bcrypt.CompareHashAndPassword([]byte(p.bcrypt), raw) == nil && fits
	}
	sum := argon2.IDKey([]byte(password), p.salt, p.argon.Time, p.argon.MemoryKiB, p.argon.Threads, uint32(len(p.sum)))
	return subtle.ConstantTimeCompare(sum, p.sum) == 1
}

// make hashes a new password.
func (c Config) make(password string) (string, error) {
	if c.Algorithm == "argon2id" {
		salt := make([]byte, 16)
		_, _ = rand.Read(salt)
		sum := argon2.IDKey([]byte(password), salt, c.Argon.Time, c.Argon.MemoryKiB, c.Argon.Threads, 32)
		return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", c.Argon.MemoryKiB, c.Argon.Time, c.Argon.Threads,
			base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum)), nil
	}
	h, err := bcrypt.GenerateFromPassword(prehash(password), c.Cost)
	return ownBcrypt + string(h), err
}

// outdated reports whether a sign-in should renew the hash (PW-13).
func (c Config) outdated(p parsed) bool {
	if c.Algorithm == "argon2id" {
		return p.bcrypt != "" || p.argon != c.Argon
	}
	return !p.ours || p.cost != c.Cost
}
