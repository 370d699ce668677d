package secondfactor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Authenticators sets up authenticator apps and checks their codes.
type Authenticators struct {
	Changes *change.Changes
	Box     *secret.Box // seals the keys
	Brand   string      // the issuer that apps show
}

// setupLife is how long an authenticator app may take to be set up (MF-07).
const setupLife = 10 * time.Minute

// Setup is an authenticator app that is being set up.
type Setup struct {
	Key     credential.TOTPKey
	URI     string
	Expires time.Time
}

// Setter says who sets up a key: a session or a half sign-in. A key is shown to its Setter only. Otherwise an attacker
// who knows the password of a user that must enrol would read the key that this user is about to confirm.
type Setter string

// OfSession is a session that sets up a key.
func OfSession(id identity.ID) Setter { return Setter("session " + id.String()) }

// OfHalf is the half sign-in with this key.
func OfHalf(key [32]byte) Setter {
	sum := sha256.Sum256(key[:])
	return Setter("half " + hex.EncodeToString(sum[:]))
}

// Begin returns the key that is being set up, the same one until it expires (MF-07).
func (a *Authenticators) Begin(ctx context.Context, user identity.User, who Setter) (Setup, error) {
	var setup Setup
	err := a.Changes.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.LockUser(ctx, user.ID); err != nil {
			return err
		}
		now := a.Changes.Now()
		row, err := tx.TOTP(ctx, user.ID, true, now)
		if err == nil {
			key, by, err := a.Open(row)
			if err == nil && by == who {
				setup = Setup{Key: key, Expires: row.Expires}
				return nil
			}
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		setup = Setup{Key: credential.NewTOTPKey(), Expires: now.Add(setupLife)}
		row = store.TOTPSecret{ID: identity.NewID(), UserID: user.ID, Pending: true, Created: now, Expires: setup.Expires}
		row.Sealed = a.Box.Seal([]byte(setup.Key.Text()+"\n"+string(who)), totpRow(row))
		return tx.PutPendingTOTP(ctx, row)
	})
	if err != nil {
		return Setup{}, change.Gone(err)
	}
	account := user.Email
	if account == "" {
		account = user.Username
	}
	setup.URI = setup.Key.URI(a.Brand, account)
	return setup, nil
}

// totpRow is the associated data of a sealed key: it does not open in another row or for another user (MF-06).
func totpRow(s store.TOTPSecret) []byte {
	return []byte("totp " + s.ID.String() + " " + s.UserID.String())
}

// Open returns the key of a row, and who set it up.
func (a *Authenticators) Open(s store.TOTPSecret) (credential.TOTPKey, Setter, error) {
	plain, err := a.Box.Open(s.Sealed, totpRow(s))
	if err != nil {
		return "", "", fmt.Errorf("open the key of an authenticator: %w", err)
	}
	key, who, _ := strings.Cut(string(plain), "\n")
	return credential.TOTPKey(key), Setter(who), nil
}

// ErrNoSetup means that there is nothing to confirm.
var ErrNoSetup = identity.Invalid("Setting up took too long. Begin again and scan the new code.")

// CheckSetup checks the first code of a key that is being set up. drift is by how much the phone's clock seems to be
// off after a refused code; it discloses nothing, since its reader has the key.
func (a *Authenticators) CheckSetup(ctx context.Context, user identity.ID, who Setter,
	typed string) (row store.TOTPSecret, step int64, drift time.Duration, err error) {
	now := a.Changes.Now()
	row, err = a.Changes.Store.TOTP(ctx, user, true, now)
	if errors.Is(err, store.ErrNotFound) {
		return row, 0, 0, ErrNoSetup
	}
	if err != nil {
		return row, 0, 0, store.Unavailable(err)
	}
	key, by, err := a.Open(row)
	if err != nil {
		return row, 0, 0, err
	}
	if by != who {
		return row, 0, 0, ErrNoSetup
	}
	code := Typed(typed)
	step, ok, _ := key.Match(code, now, -1)
	if !ok {
		drift, _ = key.Drift(code, now)
		return row, 0, drift, ErrWrong
	}
	return row, step, 0, nil
}

// Check checks a code of the authenticator app. details are for the log: the drift of the phone's clock.
func (a *Authenticators) Check(ctx context.Context, user identity.ID,
	typed string) (s Verified, details map[string]string, err error) {
	now := a.Changes.Now()
	row, err := a.Changes.Store.TOTP(ctx, user, false, now)
	if errors.Is(err, store.ErrNotFound) {
		return s, nil, ErrWrong
	}
	if err != nil {
		return s, nil, store.Unavailable(err)
	}
	key, _, err := a.Open(row)
	if err != nil {
		return s, nil, err
	}
	code := Typed(typed)
	step, ok, used := key.Match(code, now, row.Step)
	switch {
	case used:
		return s, nil, ErrUsed
	case !ok:
		if drift, ok := key.Drift(code, now); ok { // never disclosed to the client: it would be an oracle
			details = map[string]string{"clock": drift.String()}
		}
		return s, details, ErrWrong
	}
	return Verified{Method: identity.MethodTOTP, AMR: []string{identity.AMROTP},
		Use: func(ctx context.Context, tx *change.Tx) error {
			won, err := tx.AcceptTOTPStep(ctx, row.ID, step, now)
			if err == nil && !won {
				err = ErrUsed
			}
			return err
		}}, nil, nil
}
