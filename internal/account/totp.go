package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// setupLife is how long an authenticator app may take to be set up (MF-07).
const setupLife = 10 * time.Minute

// TOTPSetup is an authenticator app that is being set up.
type TOTPSetup struct {
	Key     credential.TOTPKey
	URI     string
	Expires time.Time
}

// BeginTOTP gives the key that is being set up, the same one until it expires after 10 minutes (MF-07). It asks CheckFresh.
func (a *Accounts) BeginTOTP(ctx context.Context, by change.By) (TOTPSetup, error) {
	user, session, err := a.Caller(ctx, by.Principal)
	if err != nil {
		return TOTPSetup{}, err
	}
	if err := a.CheckFresh(ctx, by.Principal); err != nil {
		return TOTPSetup{}, err
	}
	return a.beginTOTP(ctx, user.User, ofSession(session.ID))
}

// BeginTOTPWithin is BeginTOTP for a half sign-in that must enrol (R6).
func (a *Accounts) BeginTOTPWithin(ctx context.Context, key HalfKey, host string) (TOTPSetup, error) {
	_, user, f, err := a.readHalf(ctx, key, host)
	if err != nil {
		return TOTPSetup{}, err
	}
	if f.Any() { // whoever knows only the password must not see or make a key
		return TOTPSetup{}, &identity.Error{Code: identity.CodeInvalidRequest, Detail: "This account has a second factor. Start over."}
	}
	return a.beginTOTP(ctx, user.User, ofHalf(key))
}

// setter says who sets up a key: a session or a half sign-in. A key is shown to its setter only. Otherwise somebody who
// knows the password of a person that must enrol would read the key that this person is about to confirm.
type setter string

func ofSession(id identity.ID) setter { return setter("session " + id.String()) }

func ofHalf(key HalfKey) setter {
	sum := sha256.Sum256(key[:])
	return setter("half " + hex.EncodeToString(sum[:]))
}

func (a *Accounts) beginTOTP(ctx context.Context, user identity.User, who setter) (TOTPSetup, error) {
	var setup TOTPSetup
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.LockUser(ctx, user.ID); err != nil {
			return err
		}
		now := a.Now()
		row, err := tx.TOTP(ctx, user.ID, true, now)
		if err == nil {
			key, by, err := a.openTOTP(row)
			if err == nil && by == who {
				setup = TOTPSetup{Key: key, Expires: row.Expires}
				return nil
			}
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		setup = TOTPSetup{Key: credential.NewTOTPKey(), Expires: now.Add(setupLife)}
		row = store.TOTPSecret{ID: identity.NewID(), UserID: user.ID, Pending: true, Created: now, Expires: setup.Expires}
		row.Sealed = a.Box.Seal([]byte(setup.Key.Text()+"\n"+string(who)), totpRow(row))
		return tx.PutPendingTOTP(ctx, row)
	})
	if err != nil {
		return TOTPSetup{}, change.Gone(err)
	}
	account := user.Email
	if account == "" {
		account = user.Username
	}
	setup.URI = setup.Key.URI(a.Brand, account)
	return setup, nil
}

// totpRow is the associated data of a sealed key: it does not open in another row or for another person (MF-06).
func totpRow(s store.TOTPSecret) []byte {
	return []byte("totp " + s.ID.String() + " " + s.UserID.String())
}

func (a *Accounts) openTOTP(s store.TOTPSecret) (credential.TOTPKey, setter, error) {
	plain, err := a.Box.Open(s.Sealed, totpRow(s))
	if err != nil {
		return "", "", fmt.Errorf("open the key of an authenticator: %w", err)
	}
	key, who, _ := strings.Cut(string(plain), "\n")
	return credential.TOTPKey(key), setter(who), nil
}

// errNoSetup says that there is nothing to confirm.
var errNoSetup = &identity.Error{Code: identity.CodeInvalidRequest, Detail: "Setting up took too long. Begin again and scan the new code."}

// checkSetup checks the first code of a key that is being set up. drift is what a refused code tells of the phone's clock:
// who sees it has the key, so it tells nobody anything.
func (a *Accounts) checkSetup(ctx context.Context, user identity.ID, who setter, typed string) (row store.TOTPSecret, step int64, drift time.Duration, err error) {
	now := a.Now()
	row, err = a.Store.TOTP(ctx, user, true, now)
	if errors.Is(err, store.ErrNotFound) {
		return row, 0, 0, errNoSetup
	}
	if err != nil {
		return row, 0, 0, store.Unavailable(err)
	}
	key, by, err := a.openTOTP(row)
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

// ConfirmTOTP activates the key with its first right code; an earlier app stops working. A wrong code is CodeInvalidCode;
// drift, when not zero, is by how much the phone's clock seems to be off.
func (a *Accounts) ConfirmTOTP(ctx context.Context, by change.By, address netip.Addr, code string) (c Changed, drift time.Duration, err error) {
	user, session, err := a.Caller(ctx, by.Principal)
	if err != nil {
		return Changed{}, 0, err
	}
	if err := a.CheckFresh(ctx, by.Principal); err != nil {
		return Changed{}, 0, err
	}
	row, step, drift, err := a.checkSetup(ctx, user.ID, ofSession(session.ID), code)
	if err != nil {
		return Changed{}, drift, err
	}
	c, err = a.changeFactors(ctx, by, func(ctx context.Context, c *factorChange) error {
		c.proof = proven(c.proof, a.Now(), identity.AMROTP)
		c.codes, err = a.activateTOTP(ctx, c.Tx, c.by, c.user.User, c.factors, row, step)
		return err
	})
	return c, 0, err
}

// activateTOTP puts the key into use, with recovery codes when there are none.
func (a *Accounts) activateTOTP(ctx context.Context, tx *change.Tx, by change.By, user identity.User, f store.Factors, row store.TOTPSecret, step int64) ([]string, error) {
	won, err := tx.ActivateTOTP(ctx, row, step, a.Now())
	if err == nil && !won {
		err = errNoSetup
	}
	if err != nil {
		return nil, err
	}
	name := audit.AuthnMFAEnabled
	if !f.TOTP.IsZero() {
		name = audit.AuthnMFAChanged
	}
	tx.Record(factorEvent(by, name, user, identity.MethodTOTP))
	return a.firstCodes(ctx, tx, user.ID, f)
}

// RemoveTOTP removes the authenticator app. The last factor of somebody who must have one is CodeConflict.
func (a *Accounts) RemoveTOTP(ctx context.Context, by change.By) (Changed, error) {
	return a.changeFactors(ctx, by, func(ctx context.Context, c *factorChange) error {
		if c.factors.TOTP.IsZero() {
			return &identity.Error{Code: identity.CodeNotFound, Detail: "There is no authenticator app."}
		}
		left := c.factors
		left.TOTP = time.Time{}
		if err := a.mayDrop(c.user, left); err != nil {
			return err
		}
		if _, err := c.DeleteTOTP(ctx, c.user.ID); err != nil {
			return err
		}
		c.Record(factorEvent(c.by, audit.AuthnMFARemoved, c.user.User, identity.MethodTOTP))
		return a.dropped(ctx, c.Tx, c.user.ID, left, identity.MethodTOTP)
	})
}
