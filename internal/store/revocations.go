package store

import (
	"context"
	"fmt"
	"time"
)

// AddRevocation records a revocation. Recorded again, it keeps the later At and the later Expires.
func (q *Queries) AddRevocation(ctx context.Context, r Revocation) error {
	if err := storable(r.Name); err != nil {
		return wrap("add revocation", err)
	}
	if r.Kind.String() == "unknown" || r.Name == "" {
		return wrap("add revocation", fmt.Errorf("%w: kind %d, name %q", ErrInvalid, r.Kind, r.Name))
	}
	_, err := q.exec(ctx, "add revocation",
		`INSERT INTO revocations (kind, name, at, expires, reason, created) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (kind, name) DO UPDATE SET
			at = CASE WHEN excluded.at > revocations.at THEN excluded.at ELSE revocations.at END,
			expires = CASE WHEN excluded.expires > revocations.expires THEN excluded.expires ELSE revocations.expires END,
			reason = excluded.reason,
			created = CASE WHEN excluded.created > revocations.created THEN excluded.created ELSE revocations.created END`,
		int64(r.Kind), r.Name, ms(r.At), ms(r.Expires), note(r.Reason), ms(q.s.now()))
	return err
}

// Revocations calls fn for each revocation that expires after now and was recorded at or after since (zero: all), in
// no order, as they are read: a million take no memory. fn must not use the store.
func (q *Queries) Revocations(ctx context.Context, now, since time.Time, fn func(Revocation) error) error {
	return q.rows(ctx, streaming, "read revocations",
		"SELECT kind, name, at, expires, reason, created FROM revocations WHERE created >= $1 AND expires > $2",
		[]any{ms(since), ms(now)}, func(scan scanner) error {
			var r Revocation
			if err := scan(&r.Kind, &r.Name, scanTime{&r.At}, scanTime{&r.Expires}, &r.Reason,
				scanTime{&r.Created}); err != nil {
				return err
			}
			return fn(r)
		})
}

// CountRevocations counts those that expire after now.
func (q *Queries) CountRevocations(ctx context.Context, now time.Time) (int, error) {
	var n int
	err := q.row(ctx, "count revocations", "SELECT COUNT(*) FROM revocations WHERE expires > $1", []any{ms(now)}, &n)
	return n, err
}
