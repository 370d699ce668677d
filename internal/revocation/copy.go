package revocation

import (
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Copy is what one node knows to be revoked. All methods are safe for concurrent use.
type Copy struct{ set *set }

// NewCopy returns an empty copy.
func NewCopy() *Copy { return &Copy{set: newSet()} }

// Put remembers a revocation until expires (Unix ms) and reports whether it was news. At (Unix ms) matters for users:
// everything made before it is refused.
func (c *Copy) Put(kind identity.RevocationKind, name string, at, expires int64) bool {
	return c.set.put(identity.RevocationKey(kind, name), at, expires)
}

// Refused returns the code with which a principal is refused, "" when nothing speaks against it: CodeInvalidToken for a
// revoked token, CodeSessionRevoked for a revoked session or user. It allocates nothing and takes no lock.
//
// An entry refuses for as long as it is here, whatever the wall clock says: a clock that steps forward and back must
// not un-revoke (FAULTS 16). What it names has expired by itself when it is swept.
//
// IssuedAt of a session and of our own tokens has milliseconds, so that a user who signs in again right after a
// sign-out everywhere gets a token that works. That of another issuer's token has the seconds of `iat`, rounded down:
// made later in the very second it is refused too, the safe side (JW-14).
func (c *Copy) Refused(p *identity.Principal) identity.Code {
	if p == nil {
		return ""
	}
	t := c.set.table.Load()
	if _, hit := t.lookup(&p.TokenKey); hit {
		return identity.CodeInvalidToken
	}
	if _, hit := t.lookup(&p.SessionKey); hit {
		return identity.CodeSessionRevoked
	}
	if at, hit := t.lookup(&p.UserKey); hit && p.IssuedAt < at {
		return identity.CodeSessionRevoked
	}
	return ""
}

// lookup finds when a key was revoked. A principal without a token or session has a zero key, which names nothing.
func (t *table) lookup(k *identity.Key) (at int64, hit bool) {
	if *k == (identity.Key{}) {
		return 0, false
	}
	e, hit := t.find(halves(*k))
	if !hit {
		return 0, false
	}
	return e.at.Load(), true
}

// Sweep forgets what expired before now (Unix ms).
func (c *Copy) Sweep(now int64) { c.set.sweep(now) }

// Len is how many revocations are remembered, those included that have expired since the last sweep.
func (c *Copy) Len() int { return c.set.len() }
