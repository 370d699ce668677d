package store

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// PendingSignIn is a sign-in whose first step is done: no user is signed in by it (R6).
type PendingSignIn struct {
	Key      [32]byte // hash of the browser's flow cookie, or of the API's mfa_token
	UserID   identity.ID
	Kind     string // of the session it may become
	Host     string
	AMR      []string // what has been proven
	Remember bool
	Device   string // id of the known browser, "" without
	Tries    int    // codes tried
	Created  time.Time
	Expires  time.Time
}

const pendingColumns = "key, user_id, kind, host, amr, remember, device, tries, created, expires"

func pendingDest(p *PendingSignIn) []any {
	return []any{scanHash{&p.Key}, scanID{&p.UserID}, &p.Kind, &p.Host, scanList{&p.AMR}, scanFlag{&p.Remember}, &p.Device,
		&p.Tries,
		scanTime{&p.Created}, scanTime{&p.Expires}}
}

// pendingKept bounds the half sign-ins of one person, so that who knows a password cannot fill the table.
const pendingKept = 20

// PutPending stores a half sign-in in place of an earlier one of the same browser.
func (q *Queries) PutPending(ctx context.Context, p PendingSignIn) error {
	if err := storable(p.Kind, p.Host, p.Device); err != nil {
		return wrap("store half sign-in", err)
	}
	return q.atomic(ctx, func(q *Queries) error {
		_, err := q.exec(ctx, "store half sign-in", "INSERT INTO pending_signins ("+pendingColumns+
			`) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)
			ON CONFLICT (key) DO UPDATE SET user_id = excluded.user_id, kind = excluded.kind, host = excluded.host, amr = excluded.amr,
			remember = excluded.remember, device = excluded.device, tries = 0, created = excluded.created, expires = excluded.expires`,
			p.Key[:], p.UserID.String(), p.Kind, p.Host, list(p.AMR), flag(p.Remember), p.Device, ms(p.Created), ms(p.Expires))
		if err != nil {
			return err
		}
		_, err = q.exec(ctx, "drop old half sign-ins", `DELETE FROM pending_signins WHERE user_id = $1 AND key NOT IN
			(SELECT key FROM pending_signins WHERE user_id = $1 ORDER BY created DESC, key LIMIT $2)`, p.UserID.String(),
			pendingKept)
		return err
	})
}

// Pending reads a half sign-in that has not expired, else ErrNotFound.
func (q *Queries) Pending(ctx context.Context, key [32]byte, now time.Time) (PendingSignIn, error) {
	var p PendingSignIn
	err := q.row(ctx, "read half sign-in", "SELECT "+pendingColumns+
		" FROM pending_signins WHERE key = $1 AND expires > $2", []any{key[:], ms(now)}, pendingDest(&p)...)
	return p, err
}

// TryPending reserves one of the tries of a half sign-in before a code is checked: of racing calls at most limit get
// true (MF-05, LK-06).
func (q *Queries) TryPending(ctx context.Context, key [32]byte, limit int, now time.Time) (PendingSignIn, bool, error) {
	var p PendingSignIn
	err := q.change(ctx, "count a code",
		"UPDATE pending_signins SET tries = tries + 1 WHERE key = $1 AND expires > $2 AND tries < $3 RETURNING "+
			pendingColumns,
		[]any{key[:], ms(now), limit}, pendingDest(&p)...)
	if errors.Is(err, ErrNotFound) {
		return p, false, nil
	}
	return p, err == nil, err
}

// EndPending removes a half sign-in: of racing calls one gets true and may make it a whole one.
func (q *Queries) EndPending(ctx context.Context, key [32]byte) (bool, error) {
	n, err := q.exec(ctx, "end half sign-in", "DELETE FROM pending_signins WHERE key = $1", key[:])
	return n == 1, err
}

// DeleteUserPending removes all half sign-ins of a person. None is no error.
func (q *Queries) DeleteUserPending(ctx context.Context, user identity.ID) error {
	_, err := q.exec(ctx, "drop half sign-ins", "DELETE FROM pending_signins WHERE user_id = $1", user.String())
	return err
}
