package store

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Factors is what a person has beside the password.
type Factors struct {
	TOTP           time.Time // in use since; zero: none
	TOTPUsed       time.Time // zero: never
	Passkeys       int       // on all hosts
	PasskeysHere   int       // on the host asked for
	RecoveryLeft   int
	RecoveryMade   time.Time // zero: there are no codes
	TrustedDevices int
	Preferred      string // the method asked for first; "": the best one
	Failures       int    // wrong codes in a row (LK-01)
	ShortPassword  bool   // the password is too short to be the only factor (PW-01)
}

// Any reports whether there is a second factor. Recovery codes alone do not count.
func (f Factors) Any() bool { return !f.TOTP.IsZero() || f.Passkeys > 0 }

// Factors reads what a person has in one statement. host is the relying party for which passkeys are counted.
func (q *Queries) Factors(ctx context.Context, user identity.ID, host string, now time.Time) (Factors, error) {
	var f Factors
	err := q.row(ctx, "read factors", `SELECT
		COALESCE((SELECT created FROM totp_secrets WHERE user_id = $1 AND pending = 0), 0),
		COALESCE((SELECT last_used FROM totp_secrets WHERE user_id = $1 AND pending = 0), 0),
		(SELECT COUNT(*) FROM passkeys WHERE user_id = $1),
		(SELECT COUNT(*) FROM passkeys WHERE user_id = $1 AND host = $2),
		(SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1 AND used_at = 0),
		COALESCE((SELECT MAX(created) FROM recovery_codes WHERE user_id = $1), 0),
		(SELECT COUNT(*) FROM devices WHERE user_id = $1 AND trusted > $3 AND expires > $3),
		COALESCE((SELECT preferred FROM factor_settings WHERE user_id = $1), ''),
		COALESCE((SELECT failures FROM factor_settings WHERE user_id = $1), 0),
		COALESCE((SELECT short_password FROM factor_settings WHERE user_id = $1), 0)`, []any{user.String(), host, ms(now)},
		scanTime{&f.TOTP}, scanTime{&f.TOTPUsed}, &f.Passkeys, &f.PasskeysHere, &f.RecoveryLeft, scanTime{&f.RecoveryMade},
		&f.TrustedDevices,
		&f.Preferred, &f.Failures, scanFlag{&f.ShortPassword})
	return f, err
}

// SetShortPassword keeps whether a person's password is too short to be the only factor (PW-01).
func (q *Queries) SetShortPassword(ctx context.Context, user identity.ID, short bool) error {
	_, err := q.exec(ctx, "note the length of a password",
		`INSERT INTO factor_settings (user_id, preferred, failures, short_password) VALUES ($1, '', 0, $2)
		ON CONFLICT (user_id) DO UPDATE SET short_password = excluded.short_password`, user.String(), flag(short))
	return err
}

// SetPreferredFactor keeps the method that a person wants to be asked for first; "" is the best one.
func (q *Queries) SetPreferredFactor(ctx context.Context, user identity.ID, method string) error {
	if err := storable(method); err != nil {
		return wrap("set preferred factor", err)
	}
	_, err := q.exec(ctx, "set preferred factor",
		`INSERT INTO factor_settings (user_id, preferred, failures) VALUES ($1, $2, 0)
		ON CONFLICT (user_id) DO UPDATE SET preferred = excluded.preferred`, user.String(), method)
	return err
}

// AddFactorFailure counts a wrong code and gives the new count.
func (q *Queries) AddFactorFailure(ctx context.Context, user identity.ID) (int, error) {
	var n int
	err := q.change(ctx, "count wrong code", `INSERT INTO factor_settings (user_id, preferred, failures) VALUES ($1, '', 1)
		ON CONFLICT (user_id) DO UPDATE SET failures = factor_settings.failures + 1 RETURNING failures`, []any{user.String()},
		&n)
	return n, err
}

// ClearFactorFailures sets the count of wrong codes to zero. No count is no error.
func (q *Queries) ClearFactorFailures(ctx context.Context, user identity.ID) error {
	_, err := q.exec(ctx, "clear wrong codes",
		"UPDATE factor_settings SET failures = 0 WHERE user_id = $1 AND failures > 0", user.String())
	return err
}

// LockUser holds a user's row until the transaction ends, so that changes of one person's factors run one after
// another. ErrNotFound when the user is gone.
func (t *Tx) LockUser(ctx context.Context, user identity.ID) error { return t.lockUser(ctx, user) }

// TOTPSecret is the secret of an authenticator app.
type TOTPSecret struct {
	ID       identity.ID
	UserID   identity.ID
	Pending  bool   // being set up: until its first code it proves nothing (MF-07)
	Sealed   []byte // with id and user as associated data (MF-06)
	Created  time.Time
	Expires  time.Time // of a pending one; zero: it does not
	Step     int64     // last accepted time step; -1: none
	LastUsed time.Time
}

const totpColumns = "id, user_id, pending, sealed, created, expires, step, last_used"

func totpDest(s *TOTPSecret) []any {
	return []any{scanID{&s.ID}, scanID{&s.UserID}, scanFlag{&s.Pending}, &s.Sealed, scanTime{&s.Created},
		scanTime{&s.Expires}, &s.Step, scanTime{&s.LastUsed}}
}

// PutPendingTOTP stores a secret that is being set up in place of an earlier unfinished one. One in use stays (F3).
func (q *Queries) PutPendingTOTP(ctx context.Context, s TOTPSecret) error {
	_, err := q.exec(ctx, "store authenticator", "INSERT INTO totp_secrets ("+totpColumns+
		`) VALUES ($1, $2, 1, $3, $4, $5, -1, 0)
		ON CONFLICT (user_id, pending) DO UPDATE SET id = excluded.id, sealed = excluded.sealed, created = excluded.created, expires = excluded.expires, step = -1`,
		s.ID.String(), s.UserID.String(), s.Sealed, ms(s.Created), ms(s.Expires))
	return err
}

// TOTP reads the secret in use, or the pending one that has not expired; else ErrNotFound.
func (q *Queries) TOTP(ctx context.Context, user identity.ID, pending bool, now time.Time) (TOTPSecret, error) {
	var s TOTPSecret
	err := q.row(ctx, "read authenticator", "SELECT "+totpColumns+
		" FROM totp_secrets WHERE user_id = $1 AND pending = $2 AND (expires = 0 OR expires > $3)",
		[]any{user.String(), flag(pending), ms(now)}, totpDest(&s)...)
	return s, err
}

// AcceptTOTPStep takes a time step once: one statement decides, so that of racing uses on all nodes one gets true, and
// no step at or before the last accepted one is ever taken, whatever the clocks do (MF-02, MF-03, R5).
func (q *Queries) AcceptTOTPStep(ctx context.Context, id identity.ID, step int64, now time.Time) (bool, error) {
	n, err := q.exec(ctx, "use code",
		"UPDATE totp_secrets SET step = $1, last_used = $2 WHERE id = $3 AND pending = 0 AND step < $1", step, ms(now),
		id.String())
	return n == 1, err
}

// ActivateTOTP puts a pending secret in place of the one in use. The step of its first code is accepted with it. False
// when it has expired or another call was first.
func (q *Queries) ActivateTOTP(ctx context.Context, s TOTPSecret, step int64, now time.Time) (won bool, err error) {
	err = q.atomic(ctx, func(q *Queries) error {
		if err := q.lockUser(ctx, s.UserID); err != nil {
			return err
		}
		var n int
		err := q.row(ctx, "read authenticator",
			"SELECT COUNT(*) FROM totp_secrets WHERE id = $1 AND user_id = $2 AND pending = 1 AND expires > $3",
			[]any{s.ID.String(), s.UserID.String(), ms(now)}, &n)
		if won = n == 1; err != nil || !won {
			return err
		}
		if _, err := q.exec(ctx, "replace authenticator", "DELETE FROM totp_secrets WHERE user_id = $1 AND pending = 0",
			s.UserID.String()); err != nil {
			return err
		}
		return q.mustExec(ctx, "activate authenticator",
			"UPDATE totp_secrets SET pending = 0, expires = 0, created = $1, step = $2, last_used = $1 WHERE id = $3",
			ms(now), step, s.ID.String())
	})
	return won, err
}

// DeleteTOTP removes the secret in use and the pending one. False when none was in use.
func (q *Queries) DeleteTOTP(ctx context.Context, user identity.ID) (bool, error) {
	n, err := q.exec(ctx, "remove authenticator", "DELETE FROM totp_secrets WHERE user_id = $1 AND pending = 0",
		user.String())
	if err == nil {
		_, err = q.exec(ctx, "remove authenticator", "DELETE FROM totp_secrets WHERE user_id = $1", user.String())
	}
	return n > 0, err
}

// ReplaceRecoveryCodes stores a new set; the old one is void.
func (q *Queries) ReplaceRecoveryCodes(ctx context.Context, user identity.ID, hashes [][32]byte, now time.Time) error {
	return q.atomic(ctx, func(q *Queries) error {
		if err := q.lockUser(ctx, user); err != nil {
			return err
		}
		if err := q.DeleteRecoveryCodes(ctx, user); err != nil {
			return err
		}
		for _, h := range hashes {
			if _, err := q.exec(ctx, "store recovery code",
				"INSERT INTO recovery_codes (hash, user_id, created, used_at) VALUES ($1, $2, $3, 0)",
				h[:], user.String(), ms(now)); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteRecoveryCodes voids all codes of a person.
func (q *Queries) DeleteRecoveryCodes(ctx context.Context, user identity.ID) error {
	_, err := q.exec(ctx, "remove recovery codes", "DELETE FROM recovery_codes WHERE user_id = $1", user.String())
	return err
}

// UseRecoveryCode uses a code up. One statement decides: of racing uses one gets true (MF-10, R5).
func (q *Queries) UseRecoveryCode(ctx context.Context, user identity.ID, hash [32]byte, now time.Time) (bool, error) {
	var one int
	err := q.change(ctx, "use recovery code",
		"UPDATE recovery_codes SET used_at = $1 WHERE hash = $2 AND user_id = $3 AND used_at = 0 RETURNING 1",
		[]any{max(1, ms(now)), hash[:], user.String()}, &one)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
