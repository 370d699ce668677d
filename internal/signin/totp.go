package signin

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

// authenticators sets up authenticator apps and checks their codes.
type authenticators struct {
	changes *change.Changes
	box     *secret.Box
	brand   string
}

// setupLife is how long an authenticator app may take to be set up (MF-07).
const setupLife = 10 * time.Minute

// TOTPSetup is an authenticator app that is being set up.
type TOTPSetup struct {
	Key     credential.TOTPKey
	URI     string
	Expires time.Time
}

// setter says who sets up a key: a session or a half sign-in. A key is shown to its setter only. Otherwise an attacker
// who knows the password of a user that must enrol would read the key that this user is about to confirm.
type setter string

func ofSession(id identity.ID) setter { return setter("session " + id.String()) }

func ofHalf(key HalfKey) setter {
	sum := sha256.Sum256(key[:])
	return setter("half " + hex.EncodeToString(sum[:]))
}

// begin returns the key that is being set up, the same one until it expires (MF-07).
func (a *authenticators) begin(ctx context.Context, user identity.User, who setter) (TOTPSetup, error) {
	var setup TOTPSetup
	err := a.changes.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.LockUser(ctx, user.ID); err != nil {
			return err
		}
		now := a.changes.Now()
		row, err := tx.TOTP(ctx, user.ID, true, now)
		if err == nil {
			key, by, err := a.open(row)
			if err == nil && by == who {
				setup = TOTPSetup{Key: key, Expires: row.Expires}
				return nil
			}
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		setup = TOTPSetup{Key: credential.NewTOTPKey(), Expires: now.Add(setupLife)}
		row = store.TOTPSecret{ID: identity.NewID(), UserID: user.ID, Pending: true, Created: now, Expires: setup.Expires}
		row.Sealed = a.box.Seal([]byte(setup.Key.Text()+"\n"+string(who)), totpRow(row))
		return tx.PutPendingTOTP(ctx, row)
	})
	if err != nil {
		return TOTPSetup{}, change.Gone(err)
	}
	account := user.Email
	if account == "" {
		account = user.Username
	}
	setup.URI = setup.Key.URI(a.brand, account)
	return setup, nil
}

// totpRow is the associated data of a sealed key: it does not open in another row or for another user (MF-06).
func totpRow(s store.TOTPSecret) []byte {
	return []byte("totp " + s.ID.String() + " " + s.UserID.String())
}

func (a *authenticators) open(s store.TOTPSecret) (credential.TOTPKey, setter, error) {
	plain, err := a.box.Open(s.Sealed, totpRow(s))
	if err != nil {
		return "", "", fmt.Errorf("open the key of an authenticator: %w", err)
	}
	key, who, _ := strings.Cut(string(plain), "\n")
	return credential.TOTPKey(key), setter(who), nil
}

// errNoSetup means that there is nothing to confirm.
var errNoSetup = identity.Invalid("Setting up took too long. Begin again and scan the new code.")

// checkSetup checks the first code of a key that is being set up. drift is by how much the phone's clock seems to be
// off after a refused code; it discloses nothing, since its reader has the key.
func (a *authenticators) checkSetup(ctx context.Context, user identity.ID, who setter,
	typed string) (row store.TOTPSecret, step int64, drift time.Duration, err error) {
	now := a.changes.Now()
	row, err = a.changes.Store.TOTP(ctx, user, true, now)
	if errors.Is(err, store.ErrNotFound) {
		return row, 0, 0, errNoSetup
	}
	if err != nil {
		return row, 0, 0, store.Unavailable(err)
	}
	key, by, err := a.open(row)
	if err != nil {
		return row, 0, 0, err
	}
	if by != who {
		return row, 0, 0, errNoSetup
	}
	code := typedCode(typed)
	step, ok, _ := key.Match(code, now, -1)
	if !ok {
		drift, _ = key.Drift(code, now)
		return row, 0, drift, errWrongCode
	}
	return row, step, 0, nil
}

// check checks a code of the authenticator app. details are for the log: the drift of the phone's clock.
func (a *authenticators) check(ctx context.Context, user identity.ID,
	typed string) (s verifiedFactor, details map[string]string, err error) {
	now := a.changes.Now()
	row, err := a.changes.Store.TOTP(ctx, user, false, now)
	if errors.Is(err, store.ErrNotFound) {
		return s, nil, errWrongCode
	}
	if err != nil {
		return s, nil, store.Unavailable(err)
	}
	key, _, err := a.open(row)
	if err != nil {
		return s, nil, err
	}
	code := typedCode(typed)
	step, ok, used := key.Match(code, now, row.Step)
	switch {
	case used:
		return s, nil, errUsedCode
	case !ok:
		if drift, ok := key.Drift(code, now); ok { // never disclosed to the client: it would be an oracle
			details = map[string]string{"clock": drift.String()}
		}
		return s, details, errWrongCode
	}
	return verifiedFactor{method: identity.MethodTOTP, amr: []string{identity.AMROTP},
		use: func(ctx context.Context, tx *change.Tx) error {
			won, err := tx.AcceptTOTPStep(ctx, row.ID, step, now)
			if err == nil && !won {
				err = errUsedCode
			}
			return err
		}}, nil, nil
}
