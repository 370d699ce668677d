package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
)

// ID names a user, session, token, refresh family or audit reference: 128 random bits, never reused.
type ID [16]byte

// idText is lower-case base32 without padding: 26 characters, safe in URLs, headers and file names.
var idText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID returns a random ID from the operating system's CSPRNG. It cannot fail (crypto/rand aborts the process
// instead).
func NewID() ID {
	var id ID
	_, _ = rand.Read(id[:])
	return id
}

// ParseID reads the 26-character text form. Anything else, non-canonical trailing bits included, is not an ID.
func ParseID(s string) (ID, bool) {
	var id ID
	if len(s) != 26 {
		return id, false
	}
	n, err := idText.Decode(id[:], []byte(s))
	if err != nil || n != len(id) || id.String() != s {
		return ID{}, false
	}
	return id, true
}

// String is the text form: 26 characters of a-z and 2-7.
func (id ID) String() string { return idText.EncodeToString(id[:]) }

// IsZero reports whether the ID is absent.
func (id ID) IsZero() bool { return id == ID{} }

// RevocationKind says what a revocation names.
type RevocationKind uint8

// The kinds of CONTRACT section 8.
const (
	RevokeJTI     RevocationKind = 1 // one access token
	RevokeSession RevocationKind = 2 // a session, its refresh family and its access tokens
	RevokeUser    RevocationKind = 3 // everything of a user made before the revocation's time
)

// String is the kind's name on the wire: jti, session, user.
func (k RevocationKind) String() string {
	switch k {
	case RevokeJTI:
		return "jti"
	case RevokeSession:
		return "session"
	case RevokeUser:
		return "user"
	}
	return "unknown"
}

// ParseRevocationKind is the inverse of String.
func ParseRevocationKind(s string) (RevocationKind, bool) {
	switch s {
	case "jti":
		return RevokeJTI, true
	case "session":
		return RevokeSession, true
	case "user":
		return RevokeUser, true
	}
	return 0, false
}

// Key is the fixed-size form under which a node remembers a revocation. Fixed-size keys keep a million
// revocations at 55 bytes each and out of the garbage collector's way.
type Key [16]byte

// RevocationKey folds a kind and a name (a jti of any issuer, a session or user id) into a Key.
func RevocationKey(kind RevocationKind, name string) Key {
	h := sha256.New()
	h.Write([]byte{byte(kind)})
	h.Write([]byte(name))
	var sum [32]byte
	h.Sum(sum[:0])
	return Key(sum[:16])
}
