package store

import (
	"context"
	"errors"
	"time"
)

// PutOneTime stores a code's hash.
func (q *Queries) PutOneTime(ctx context.Context, o OneTime) error {
	if err := storable(o.Kind, o.Subject); err != nil {
		return wrap("store one-time code", err)
	}
	_, err := q.exec(ctx, "store one-time code",
		"INSERT INTO one_times (kind, hash, subject, created, expires) VALUES ($1, $2, $3, $4, $5)",
		o.Kind, o.Hash[:], o.Subject, ms(o.Created), ms(o.Expires))
	return taken(err, "code")
}

// PeekOneTime reports whether a code would work, without using it.
func (q *Queries) PeekOneTime(ctx context.Context, kind string, hash [32]byte, now time.Time) (bool, error) {
	var n int
	err := q.row(ctx, "read one-time code",
		"SELECT COUNT(*) FROM one_times WHERE kind = $1 AND hash = $2 AND expires > $3", []any{kind, hash[:], ms(now)}, &n)
	return n == 1, err
}

// ConsumeOneTime uses a code. One statement decides, so of racing calls one gets true (R5).
func (q *Queries) ConsumeOneTime(ctx context.Context, kind string, hash [32]byte,
	now time.Time) (OneTime, bool, error) {
	o := OneTime{Kind: kind, Hash: hash}
	err := q.change(ctx, "use one-time code",
		"DELETE FROM one_times WHERE kind = $1 AND hash = $2 AND expires > $3 RETURNING subject, created, expires",
		[]any{kind, hash[:], ms(now)}, &o.Subject, scanTime{&o.Created}, scanTime{&o.Expires})
	if errors.Is(err, ErrNotFound) {
		return OneTime{}, false, nil
	}
	if err != nil {
		return OneTime{}, false, err
	}
	return o, true, nil
}

// DeleteOneTimes deletes all codes of a kind. It is no error if there are none.
func (q *Queries) DeleteOneTimes(ctx context.Context, kind string) error {
	_, err := q.exec(ctx, "delete one-time codes", "DELETE FROM one_times WHERE kind = $1", kind)
	return err
}
