package store

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// AddRevocation records a revocation durably; a later time and a later end win over what was there.
func (q *Queries) AddRevocation(ctx context.Context, r Revocation) error {
	return q.exec(ctx, "record revocation", `INSERT INTO revocations (kind, name, at, expires, reason, recorded) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (kind, name) DO UPDATE SET
			at = CASE WHEN excluded.at > revocations.at THEN excluded.at ELSE revocations.at END,
			expires = CASE WHEN excluded.expires > revocations.expires THEN excluded.expires ELSE revocations.expires END,
			recorded = excluded.recorded`,
		r.Kind.String(), clean(r.Name), ms(r.At), ms(r.Expires), r.Reason, time.Now().UnixMilli())
}

// Revocations hands every revocation that has not expired, recorded at or after since (zero: all), to fn.
func (q *Queries) Revocations(ctx context.Context, now, since time.Time, fn func(Revocation) error) error {
	rows, err := q.db.QueryContext(ctx, `SELECT kind, name, at, expires, reason FROM revocations WHERE expires > $1 AND recorded >= $2`, ms(now), ms(since))
	if err != nil {
		return q.wrap("read revocations", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Revocation
		var kind string
		var at, expires int64
		if err := rows.Scan(&kind, &r.Name, &at, &expires, &r.Reason); err != nil {
			return q.wrap("read revocations", err)
		}
		r.Kind, _ = identity.ParseRevocationKind(kind)
		r.At, r.Expires = fromMS(at), fromMS(expires)
		if err := fn(r); err != nil {
			return err
		}
	}
	return q.wrap("read revocations", rows.Err())
}

// CountRevocations counts those that have not expired.
func (q *Queries) CountRevocations(ctx context.Context, now time.Time) (int, error) {
	var n int
	err := q.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM revocations WHERE expires > $1`, ms(now)).Scan(&n)
	return n, q.wrap("count revocations", err)
}
