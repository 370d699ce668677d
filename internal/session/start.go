package session

import (
	"context"
	"fmt"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Kinds of sessions.
const (
	Browser = "browser"
	API     = "api"
)

// Writer is the part of a *store.Tx that sessions need.
type Writer interface {
	CreateSession(ctx context.Context, s store.Session, limit int) (ended []identity.ID, err error)
	RotateSession(ctx context.Context, id identity.ID, old, fresh [32]byte, p identity.Proof) (bool, error)
}

// NewSession is a sign-in that has been proven.
type NewSession struct {
	User      identity.User
	Parent    identity.ID    // the session at the single sign-on host that it came from; zero without
	Kind      string         // Browser or API
	Host      string         // folded host that it is bound to
	Proof     identity.Proof // how and when the user proved who they are
	Remember  bool
	IP        string
	UserAgent string
	// Until ends the session no later than this, e.g. with its parent; zero: no such bound.
	Until time.Time
}

// Start creates a session in the caller's transaction. The secret, 43 characters of base64url with 256 random bits, is
// the cookie's value; only its SHA-256 is stored (SE-01). It is always new, whatever cookie the client sent (SE-02,
// SE-03). Ended are the user's sessions beyond the limit (SE-15): the caller ends and revokes them in the same
// transaction.
func (t *Table[E]) Start(ctx context.Context, tx Writer, n NewSession) (
	value string, s store.Session, ended []identity.ID, err error,
) {
	now := t.cfg.Now().Truncate(time.Millisecond) // what SQL keeps
	idle, life := t.cfg.Idle, t.cfg.Max
	switch {
	case n.Kind == API:
		idle, life = t.cfg.API, t.cfg.API
	case n.Remember:
		idle, life = t.cfg.Remember, t.cfg.Remember
	}
	value, hash := NewSecret()
	s = store.Session{
		ID: identity.NewID(), SecretHash: hash, UserID: n.User.ID, Parent: n.Parent, Kind: n.Kind, Host: n.Host,
		Remember: n.Remember, IP: n.IP, UserAgent: n.UserAgent, Proof: n.Proof,
		Lifetime: store.Lifetime{Created: now, LastSeen: now, Idle: idle, Expires: now.Add(life)},
	}
	if !n.Until.IsZero() && n.Until.Before(s.Expires) {
		s.Expires = n.Until
	}
	s.Idle = min(s.Idle, s.Expires.Sub(now)) // idle never extends past the end (SE-10)
	if ended, err = tx.CreateSession(ctx, s, t.cfg.Limit); err != nil {
		return "", store.Session{}, nil, fmt.Errorf("start session: %w", err)
	}
	t.uses.add(s.ID, n.User.ID, now)
	return value, s, ended, nil
}

// Rotate sets a new secret of a session and what has been proven now (SE-02). After the commit the old secret is dead
// in SQL; the caller publishes a change of the user, so that every node drops it. The error is an *identity.Error with
// CodeSessionRevoked when the session has ended or another call was first.
func (t *Table[E]) Rotate(ctx context.Context, tx Writer, s store.Session, p identity.Proof) (value string, err error) {
	value, hash := NewSecret()
	won, err := tx.RotateSession(ctx, s.ID, s.SecretHash, hash, p)
	if err != nil {
		return "", fmt.Errorf("renew session: %w", err)
	}
	if !won {
		return "", identity.SessionEnded()
	}
	return value, nil
}
