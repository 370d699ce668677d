package store

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const familyColumns = "id, session_id, user_id, client_id, audience, scopes, created, expires, revoked_at"

func familyDest(f *Family) []any {
	return []any{scanID{&f.ID}, scanID{&f.SessionID}, scanID{&f.UserID}, &f.ClientID, scanList{&f.Audience},
		scanList{&f.Scopes},
		scanTime{&f.Created}, scanTime{&f.Expires}, scanTime{&f.RevokedAt}}
}

// CreateFamily adds a family. ErrNotFound when its session or user is gone.
func (q *Queries) CreateFamily(ctx context.Context, f Family) error {
	if err := storable(f.ClientID); err != nil {
		return wrap("create refresh family", err)
	}
	_, err := q.exec(ctx, "create refresh family", "INSERT INTO families ("+familyColumns+
		", revoke_reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, '')",
		f.ID.String(), f.SessionID.String(), f.UserID.String(), f.ClientID, list(f.Audience), list(f.Scopes), ms(f.Created),
		ms(f.Expires))
	return taken(err, "family")
}

// AddRefresh adds a refresh token's hash to a family.
func (q *Queries) AddRefresh(ctx context.Context, family identity.ID, hash [32]byte, created time.Time) error {
	_, err := q.exec(ctx, "add refresh token",
		"INSERT INTO refresh_tokens (hash, family_id, created, used_at) VALUES ($1, $2, $3, 0)",
		hash[:], family.String(), ms(created))
	return taken(err, "refresh_token")
}

// ConsumeRefresh uses a refresh token. One statement decides: of any number of racing calls on all nodes one has Won,
// and with the caller's transaction rolled back no caller had (R5).
func (q *Queries) ConsumeRefresh(ctx context.Context, hash [32]byte, now time.Time) (RefreshUse, error) {
	var use RefreshUse
	err := q.atomic(ctx, func(q *Queries) error {
		use = RefreshUse{}
		var family identity.ID
		err := q.change(ctx, "use refresh token", `UPDATE refresh_tokens SET used_at = $1 WHERE hash = $2 AND used_at = 0
			AND EXISTS (SELECT 1 FROM families f WHERE f.id = refresh_tokens.family_id AND f.revoked_at = 0 AND f.expires > $3)
			RETURNING family_id`, []any{ended(now), hash[:], ms(now)}, scanID{&family})
		if err == nil {
			use.Known, use.Won = true, true
			use.Family, err = q.FamilyByID(ctx, family)
			return err
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		var usedAt int64
		err = q.row(ctx, "read refresh token", "SELECT t.used_at, "+prefixed("f.", familyColumns)+
			" FROM refresh_tokens t JOIN families f ON f.id = t.family_id WHERE t.hash = $1", []any{hash[:]},
			append([]any{&usedAt}, familyDest(&use.Family)...)...)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		use.Known, use.Reused = err == nil, usedAt != 0
		return err
	})
	if err != nil {
		return RefreshUse{}, err
	}
	return use, nil
}

// FamilyByID reads a family in any state.
func (q *Queries) FamilyByID(ctx context.Context, id identity.ID) (Family, error) {
	var f Family
	err := q.row(ctx, "read refresh family", "SELECT "+familyColumns+" FROM families WHERE id = $1", []any{id.String()},
		familyDest(&f)...)
	return f, err
}

// FamilyByTokenHash reads the family of a refresh token, used or not.
func (q *Queries) FamilyByTokenHash(ctx context.Context, hash [32]byte) (Family, error) {
	var f Family
	err := q.row(ctx, "read refresh family", "SELECT "+prefixed("f.", familyColumns)+
		" FROM refresh_tokens t JOIN families f ON f.id = t.family_id WHERE t.hash = $1", []any{hash[:]}, familyDest(&f)...)
	return f, err
}

// RevokeFamily ends a family. False when it was revoked before or does not exist.
func (q *Queries) RevokeFamily(ctx context.Context, id identity.ID, reason string, at time.Time) (bool, error) {
	n, err := q.revokeFamilies(ctx, "id", id, reason, at)
	return n == 1, err
}

// RevokeFamiliesOfSession ends the families of a session. None is no error.
func (q *Queries) RevokeFamiliesOfSession(ctx context.Context, session identity.ID, reason string, at time.Time) error {
	_, err := q.revokeFamilies(ctx, "session_id", session, reason, at)
	return err
}

// RevokeFamiliesOfUser ends all families of a user. None is no error.
func (q *Queries) RevokeFamiliesOfUser(ctx context.Context, user identity.ID, reason string, at time.Time) error {
	_, err := q.revokeFamilies(ctx, "user_id", user, reason, at)
	return err
}

// revokeFamilies takes the column from the three constants above only.
func (q *Queries) revokeFamilies(ctx context.Context, column string, id identity.ID, reason string,
	at time.Time) (int64, error) {
	return q.exec(ctx, "revoke refresh family", "UPDATE families SET revoked_at = $1, revoke_reason = $2 WHERE "+column+
		" = $3 AND revoked_at = 0",
		ended(at), note(reason), id.String())
}

// RefreshUsable reports whether a refresh token could be used now.
func (q *Queries) RefreshUsable(ctx context.Context, hash [32]byte, now time.Time) (bool, error) {
	var n int
	err := q.row(ctx, "read refresh token", `SELECT COUNT(*) FROM refresh_tokens t JOIN families f ON f.id = t.family_id
		WHERE t.hash = $1 AND t.used_at = 0 AND f.revoked_at = 0 AND f.expires > $2`, []any{hash[:], ms(now)}, &n)
	return n == 1, err
}
