package store

import (
	"context"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Kinds of one-time rows that a session's secret has. Both are found by the secret's hash, so they end with the secret.
const (
	renewalWanted = "session_renewal"
	oldSecret     = "session_old_secret"
)

// WantRenewal asks for a new secret for every living session of one kind of a user (SE-02). A session whose secret
// changes for another reason meanwhile has been renewed by that.
func (q *Queries) WantRenewal(ctx context.Context, user identity.ID, kind string, now time.Time) error {
	_, err := q.exec(ctx, "ask for new session secrets", `INSERT INTO one_times (kind, hash, subject, created, expires)
		SELECT '`+renewalWanted+
		`', secret_hash, id, CAST($1 AS BIGINT), expires FROM sessions WHERE user_id = $2 AND kind = $3 AND ended_at = 0 AND expires > $1
		ON CONFLICT (kind, hash) DO NOTHING`, ms(now), user.String(), kind)
	return err
}

// RenewalWanted reports whether a session's present secret is to be replaced.
func (q *Queries) RenewalWanted(ctx context.Context, hash [32]byte, now time.Time) (bool, error) {
	return q.PeekOneTime(ctx, renewalWanted, hash, now)
}

// RenewSecret replaces the secret of a session for which that was asked, and keeps the old one good until graceEnds.
// How its holder proved who they are stays. False if it was not requested, or another caller was first: of racing calls
// one wins.
func (q *Queries) RenewSecret(ctx context.Context, s Session, fresh [32]byte, now, graceEnds time.Time) (bool, error) {
	_, won, err := q.ConsumeOneTime(ctx, renewalWanted, s.SecretHash, now)
	if err != nil || !won {
		return false, err
	}
	n, err := q.exec(ctx, "renew session secret",
		"UPDATE sessions SET secret_hash = $1 WHERE id = $2 AND secret_hash = $3 AND ended_at = 0",
		fresh[:], s.ID.String(), s.SecretHash[:])
	if err != nil || n != 1 {
		return false, taken(err, "session")
	}
	return true, q.PutOneTime(ctx, OneTime{Kind: oldSecret, Hash: s.SecretHash, Subject: s.ID.String(), Created: now,
		Expires: graceEnds})
}

// SessionByOldSecret reads a session that has not ended, with its user, by a secret that was renewed recently, and
// when that stops being good; ErrNotFound without one.
func (q *Queries) SessionByOldSecret(ctx context.Context, hash [32]byte,
	now time.Time) (Session, UserRecord, time.Time, error) {
	var s Session
	var u UserRecord
	var until time.Time
	dest := append(append([]any{scanTime{&until}}, sessionDest(&s)...), userDest(&u)...)
	err := q.row(ctx, "read session by its old secret", "SELECT o.expires, "+prefixed("s.",
		sessionColumns)+", "+prefixed("u.", userColumns)+
		" FROM one_times o JOIN sessions s ON s.id = o.subject JOIN users u ON u.id = s.user_id WHERE o.kind = '"+oldSecret+
		"' AND o.hash = $1 AND o.expires > $2 AND s.ended_at = 0", []any{hash[:], ms(now)}, dest...)
	return s, u, until, err
}
