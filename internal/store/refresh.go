package store

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const familyColumns = `f.id, f.session_id, f.user_id, f.client_id, f.audience, f.scopes, f.created, f.expires, f.revoked_at`

func scanFamily(row scanner, more ...any) (Family, error) {
	var f Family
	var fid, sid, uid, audience, scopes string
	var created, expires, revoked int64
	err := row.Scan(append([]any{&fid, &sid, &uid, &f.ClientID, &audience, &scopes, &created, &expires, &revoked}, more...)...)
	f.ID, f.SessionID, f.UserID, f.Audience, f.Scopes = id(fid), id(sid), id(uid), fromList(audience), fromList(scopes)
	f.Created, f.Expires, f.RevokedAt = fromMS(created), fromMS(expires), fromMS(revoked)
	return f, err
}

// CreateFamily begins a line of refresh tokens.
func (q *Queries) CreateFamily(ctx context.Context, f Family) error {
	return q.exec(ctx, "create refresh family", `INSERT INTO refresh_families (id, session_id, user_id, client_id, audience, scopes, created, expires,
		revoked_at, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, '')`, f.ID.String(), f.SessionID.String(), f.UserID.String(), clean(f.ClientID),
		list(f.Audience), list(f.Scopes), ms(f.Created), ms(f.Expires))
}

// AddRefresh stores the hash of a fresh token of a family.
func (q *Queries) AddRefresh(ctx context.Context, family identity.ID, hash [32]byte, created time.Time) error {
	return q.exec(ctx, "store refresh token", `INSERT INTO refresh_tokens (token_hash, family_id, created, used_at) VALUES ($1, $2, $3, 0)`,
		hash[:], family.String(), ms(created))
}

// ConsumeRefresh uses a token once, in one statement (R5): of racing calls, on any node, one wins.
func (q *Queries) ConsumeRefresh(ctx context.Context, hash [32]byte, now time.Time) (RefreshUse, error) {
	n, err := q.changed(ctx, "use refresh token", `UPDATE refresh_tokens SET used_at = $2 WHERE token_hash = $1 AND used_at = 0
		AND EXISTS (SELECT 1 FROM refresh_families f WHERE f.id = refresh_tokens.family_id AND f.revoked_at = 0 AND f.expires > $2)`, hash[:], ms(now))
	if err != nil {
		return RefreshUse{}, err
	}
	var used int64
	f, err := scanFamily(q.db.QueryRowContext(ctx, `SELECT `+familyColumns+`, t.used_at FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family_id
		WHERE t.token_hash = $1`, hash[:]), &used)
	err = q.wrap("read refresh token", err)
	if errors.Is(err, ErrNotFound) {
		return RefreshUse{}, nil
	}
	return RefreshUse{Known: err == nil, Won: n == 1, Reused: n == 0 && used != 0, Family: f}, err
}

// FamilyByTokenHash finds the family of a token in any state.
func (q *Queries) FamilyByTokenHash(ctx context.Context, hash [32]byte) (Family, error) {
	f, err := scanFamily(q.db.QueryRowContext(ctx, `SELECT `+familyColumns+` FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family_id
		WHERE t.token_hash = $1`, hash[:]))
	return f, q.wrap("read refresh family", err)
}

// RefreshUsable tells whether a token could be used now.
func (q *Queries) RefreshUsable(ctx context.Context, hash [32]byte, now time.Time) (bool, error) {
	var n int
	err := q.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family_id
		WHERE t.token_hash = $1 AND t.used_at = 0 AND f.revoked_at = 0 AND f.expires > $2`, hash[:], ms(now)).Scan(&n)
	return n == 1, q.wrap("read refresh token", err)
}

// RevokeFamiliesOfSession ends every family of a session.
func (q *Queries) RevokeFamiliesOfSession(ctx context.Context, session identity.ID, reason string, at time.Time) error {
	return q.exec(ctx, "revoke refresh families", `UPDATE refresh_families SET revoked_at = $2, reason = $3 WHERE session_id = $1 AND revoked_at = 0`,
		session.String(), ms(at), reason)
}

// RevokeFamiliesOfUser ends every family of a user.
func (q *Queries) RevokeFamiliesOfUser(ctx context.Context, user identity.ID, reason string, at time.Time) error {
	return q.exec(ctx, "revoke refresh families", `UPDATE refresh_families SET revoked_at = $2, reason = $3 WHERE user_id = $1 AND revoked_at = 0`,
		user.String(), ms(at), reason)
}
