// Package identity holds what every room of the gateway talks about: users, roles, principals and error codes.
// It imports the standard library only.
package identity

import "time"

// User is a person or service that can sign in.
type User struct {
	ID       ID
	Username string // as entered, NFKC
	Email    string // may be empty
	Name     string // display name, may be empty
	Roles    []string
	Disabled bool
	// Managed is "users_file" when a file owns the row (then pages show it read-only), else "".
	Managed  string
	Created  time.Time
	LastSeen time.Time // zero: never
	// NotBefore: sessions and tokens made before it are refused (password change, sign out everywhere).
	NotBefore time.Time
}

// AdminRole has permission "*" and needs no policy file (CONTRACT section 9).
const AdminRole = "admin"

// HasRole compares role names exactly (AZ-09).
func (u *User) HasRole(role string) bool {
	for _, r := range u.Roles {
		if r == role {
			return true
		}
	}
	return false
}

// Credential says how a request proved who sends it.
type Credential uint8

// The credentials of a request.
const (
	CredentialNone   Credential = iota
	CredentialCookie            // __Host-truxe
	CredentialBearer            // an access token
)

// Principal is the verified sender of one request. A nil *Principal is an anonymous visitor.
// It is shared between requests: treat it as read-only.
type Principal struct {
	UserID    string // text form; for a trusted issuer "<issuer>|<subject>"
	Username  string
	Email     string
	Name      string
	Roles     []string
	SessionID string // opaque handle of the session, stable for its life; empty for a foreign token
	TokenID   string // jti, bearer only
	ClientID  string // bearer only
	Proof

	Expires    time.Time // when this credential ends absolutely
	Remember   bool      // the session was kept with "Keep me signed in": its cookie outlives the browser
	Credential Credential
	Revocable
}

// Revocable is what the revocation copy is asked for on every request, computed once for each principal.
type Revocable struct {
	TokenKey   Key
	SessionKey Key
	UserKey    Key
	// IssuedAt is compared with the user's not-before, in Unix milliseconds.
	IssuedAt int64
}

// HasRole compares role names exactly (AZ-09).
func (p *Principal) HasRole(role string) bool {
	if p == nil {
		return false
	}
	for _, r := range p.Roles {
		if r == role {
			return true
		}
	}
	return false
}
