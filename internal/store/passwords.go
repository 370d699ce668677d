package store

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// SetPassword stores a new hash, clears the failures and moves not-before to notBefore, never back.
func (q *Queries) SetPassword(ctx context.Context, id identity.ID, hash string, now, notBefore time.Time) error {
	if err := storable(hash); err != nil {
		return wrap("set password", err)
	}
	return q.mustExec(ctx, "set password", `UPDATE users SET password_hash = $1, password_changed = $2, failures = 0,
		not_before = CASE WHEN not_before > $3 THEN not_before ELSE $3 END WHERE id = $4`, hash, ms(now), ms(notBefore),
		id.String())
}

// RehashPassword replaces one hash of a password by another of the same password, unless it has changed meanwhile
// (PW-13).
func (q *Queries) RehashPassword(ctx context.Context, id identity.ID, oldHash, newHash string) (bool, error) {
	if err := storable(newHash); err != nil {
		return false, wrap("rehash password", err)
	}
	n, err := q.exec(ctx, "rehash password", "UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3",
		newHash, id.String(), oldHash)
	return n == 1, err
}

// AddFailure counts a wrong password and gives the new count.
func (q *Queries) AddFailure(ctx context.Context, id identity.ID) (int, error) {
	var n int
	err := q.change(ctx, "count failure", "UPDATE users SET failures = failures + 1 WHERE id = $1 RETURNING failures",
		[]any{id.String()}, &n)
	return n, err
}

// ClearFailures sets the count of wrong passwords to zero.
func (q *Queries) ClearFailures(ctx context.Context, id identity.ID) error {
	return q.mustExec(ctx, "clear failures", "UPDATE users SET failures = 0 WHERE id = $1", id.String())
}
