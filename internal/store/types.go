package store

import (
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// UserRecord is a user with what only sign-in may read.
type UserRecord struct {
	identity.User
	PasswordHash    string    // "" when the user has no password
	PasswordChanged time.Time // zero: never
	Failures        int       // wrong passwords in a row (LK-01: hard ceiling of 100)
}

// NewUser is a user to be created. UsernameKey and EmailKey are the folded login names (credential.FoldUsername);
// both share one unique space, so no user name can equal another person's e-mail address.
type NewUser struct {
	identity.User
	UsernameKey  string
	EmailKey     string // "" without e-mail
	PasswordHash string
}

// UserChange changes the fields that are not nil.
type UserChange struct {
	Email    *string
	EmailKey *string
	Name     *string
	Disabled *bool
	Roles    *[]string
	Managed  *string
}

// UserFilter pages through users in the order of their names. Limit 1..1000, default 100.
type UserFilter struct {
	Search string // part of user name, e-mail or display name, any case
	Cursor string // opaque, from the previous page
	Limit  int
}

// Session is one sign-in of a browser or an API client.
type Session struct {
	ID         identity.ID
	SecretHash [32]byte // SHA-256 of the cookie's value (SE-01)
	UserID     identity.ID
	// Parent is the session at the single sign-on host that this one came from; zero without.
	Parent    identity.ID
	Kind      string // session.Browser or session.API
	Host      string // folded host the session is bound to
	Remember  bool
	IP        string
	UserAgent string
	identity.Proof
	Lifetime
}

// Lifetime is when a session began, was in use last, and ends.
type Lifetime struct {
	Created   time.Time
	LastSeen  time.Time
	Idle      time.Duration // ends after this much inactivity
	Expires   time.Time     // ends absolutely
	EndedAt   time.Time     // zero while alive
	EndReason string
}

// Touch is one batched write of a session's last use.
type Touch struct {
	ID       identity.ID
	LastSeen time.Time
}

// Family is a line of refresh tokens that replace each other.
type Family struct {
	ID        identity.ID
	SessionID identity.ID
	UserID    identity.ID
	ClientID  string
	Audience  []string
	Scopes    []string
	Created   time.Time
	Expires   time.Time // absolute (RT-05)
	RevokedAt time.Time // zero while alive
}

// RefreshUse is what became of an attempt to consume a refresh token.
type RefreshUse struct {
	Known bool // the hash is in the table
	// this call consumed it; false with Known: it had been used before, its family is revoked, or it is expired
	Won    bool
	Reused bool // it had been used before
	Family Family
}

// Revocation is the durable record of CONTRACT section 8. Name is a jti, a session id or a user id.
type Revocation struct {
	Kind    identity.RevocationKind
	Name    string
	At      time.Time // user: everything made before it is refused
	Expires time.Time // not needed after it
	Reason  string
	Created time.Time // when it was recorded, by the recording node's clock; set by AddRevocation
}

// KeyRecord is one signing key of the ring. Times are zero when not set.
type KeyRecord struct {
	KID       string
	Sealed    []byte // PKCS #8, sealed with the kid as associated data
	PublicDER []byte // PKIX
	Source    string // "generated" or "imported"
	Created   time.Time
	Activates time.Time // signs from here on
	Retires   time.Time // signs no longer
	Expires   time.Time // verifies no longer
}

// Device is a browser that a person has signed in from (LK-05, MF-22): a record, not a cookie flag.
type Device struct {
	ID        identity.ID
	Hash      [32]byte
	UserID    identity.ID
	Created   time.Time
	LastUsed  time.Time
	Expires   time.Time
	UserAgent string
	Trusted   time.Time // no second factor is asked for until then; zero: it is
}

// OneTime is a link or code that works once; only its hash is kept.
type OneTime struct {
	Kind    string // "setup"
	Hash    [32]byte
	Subject string
	Created time.Time
	Expires time.Time
}

// AuditRow is one line of the audit log. Line is the canonical JSON with its hash.
type AuditRow struct {
	Seq       int64
	Time      time.Time
	Event     string
	Outcome   string
	ActorID   string
	SubjectID string
	IP        string
	Reference string
	Line      []byte
	Hash      [32]byte
}

// AuditFilter selects audit rows, newest first unless Ascending. Zero fields match all. Limit 1..1000, default 100.
type AuditFilter struct {
	After, Before  int64 // exclusive bounds of seq; 0: none
	Since, Until   time.Time
	Event, ActorID string
	Except         string // an event that is left out
	SubjectID, IP  string
	PersonID       string // as actor or as subject
	Reference      string
	Ascending      bool
	Limit          int
}

// SessionFilter pages through live sessions. Limit 1..1000, default 100.
type SessionFilter struct {
	UserID identity.ID // zero: of all users
	Cursor string
	Limit  int
}
