package store

import (
	"context"
	"errors"
	"time"
)

// PutOneTime stores the hash of a link that works once.
func (q *Queries) PutOneTime(ctx context.Context, o OneTime) error {
	return q.exec(ctx, "store one-time link", `INSERT INTO one_times (kind, hash, subject, created, expires) VALUES ($1, $2, $3, $4, $5)`,
		o.Kind, o.Hash[:], o.Subject, ms(o.Created), ms(o.Expires))
}

// PeekOneTime tells whether a link would work now.
func (q *Queries) PeekOneTime(ctx context.Context, kind string, hash [32]byte, now time.Time) (bool, error) {
	var n int
	err := q.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM one_times WHERE kind = $1 AND hash = $2 AND expires > $3`, kind, hash[:], ms(now)).Scan(&n)
	return n == 1, q.wrap("read one-time link", err)
}

// ConsumeOneTime uses a link in one statement: of racing calls one wins (R5).
func (q *Queries) ConsumeOneTime(ctx context.Context, kind string, hash [32]byte, now time.Time) (OneTime, bool, error) {
	o := OneTime{Kind: kind, Hash: hash}
	var created, expires int64
	err := q.wrap("use one-time link", q.db.QueryRowContext(ctx, `DELETE FROM one_times WHERE kind = $1 AND hash = $2 AND expires > $3
		RETURNING subject, created, expires`, kind, hash[:], ms(now)).Scan(&o.Subject, &created, &expires))
	o.Created, o.Expires = fromMS(created), fromMS(expires)
	if errors.Is(err, ErrNotFound) {
		return o, false, nil
	}
	return o, err == nil, err
}

// DeleteOneTimes makes all links of a kind void.
func (q *Queries) DeleteOneTimes(ctx context.Context, kind string) error {
	return q.exec(ctx, "void one-time links", `DELETE FROM one_times WHERE kind = $1`, kind)
}
