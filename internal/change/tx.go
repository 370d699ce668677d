package change

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Tx is the transaction of a change, and records what follows from the change.
type Tx struct {
	*store.Tx
	changes *Changes

	revoked []store.Revocation
	changed []identity.ID
	events  []audit.Event
	former  []identity.User // users as they were, of those whose e-mail address has changed
}

// Record adds an audit event to the change.
func (tx *Tx) Record(e audit.Event) { tx.events = append(tx.events, e) }

// UserChanged has every node drop its copies of a user's row and roles.
func (tx *Tx) UserChanged(id identity.ID) { tx.changed = append(tx.changed, id) }

// AddressChanged compares a user's e-mail address before and after the change: the notice of a new address goes to the
// former one.
func (tx *Tx) AddressChanged(before, after identity.User) {
	if before.Email != after.Email {
		tx.former = append(tx.former, before)
	}
}

// LockedUser returns a user whom no other transaction changes until this one ends; or CodeNotFound.
// Every change locks the user's row first, so that no two transactions wait for each other.
func (tx *Tx) LockedUser(ctx context.Context, id identity.ID) (identity.User, error) {
	if err := tx.LockUser(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return identity.User{}, err
	}
	u, err := tx.UserByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return u.User, identity.NotFound("There is no such user.")
	}
	return u.User, err
}

// RevokeSession ends a session, its refresh families and its tokens.
func (tx *Tx) RevokeSession(ctx context.Context, id identity.ID, reason string) error {
	now := tx.changes.Now()
	if err := tx.RevokeFamiliesOfSession(ctx, id, reason, now); err != nil {
		return err
	}
	if _, err := tx.EndSession(ctx, id, reason, now); err != nil {
		return err
	}
	tx.revoke(identity.RevokeSession, id, now, reason)
	return nil
}

// RevokeUser ends every session, refresh family and token of a user made before now, except one session.
func (tx *Tx) RevokeUser(ctx context.Context, user, except identity.ID, reason string) error {
	now := tx.changes.Now()
	ended, err := tx.EndUserSessions(ctx, user, except, reason, now)
	if err != nil {
		return err
	}
	for _, id := range ended {
		if err := tx.RevokeFamiliesOfSession(ctx, id, reason, now); err != nil {
			return err
		}
		tx.revoke(identity.RevokeSession, id, now, reason)
	}
	if !except.IsZero() {
		return nil // the remaining session keeps its tokens; all others end with their sessions
	}
	if err := tx.SetNotBefore(ctx, user, now); err != nil {
		return err
	}
	tx.revoke(identity.RevokeUser, user, now, reason)
	return nil
}

// RevokeToken revokes the access token of a principal until it would have expired.
func (tx *Tx) RevokeToken(p *identity.Principal, reason string) {
	tx.revoked = append(tx.revoked, store.Revocation{Kind: identity.RevokeJTI, Name: p.TokenID, At: tx.changes.Now(),
		Expires: p.Expires.Add(Leeway), Reason: reason})
}

// revoke adds a revocation that outlives every session and token made before it.
func (tx *Tx) revoke(kind identity.RevocationKind, id identity.ID, now time.Time, reason string) {
	c := tx.changes
	lifetime := max(c.LongestSession, c.RefreshLifetime) + c.AccessLifetime + Leeway
	tx.revoked = append(tx.revoked, store.Revocation{Kind: kind, Name: id.String(), At: now, Expires: now.Add(lifetime),
		Reason: reason})
}
