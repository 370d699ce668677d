package signin

import (
	"context"
	"net/netip"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// BeginTOTP returns the key that is being set up, the same one until it expires after 10 minutes (MF-07). It requires
// CheckFresh.
func (fs *Factors) BeginTOTP(ctx context.Context, by change.By) (secondfactor.Setup, error) {
	user, session, err := fs.changes.Caller(ctx, by.Principal)
	if err != nil {
		return secondfactor.Setup{}, err
	}
	if err := fs.changes.CheckFresh(ctx, by.Principal); err != nil {
		return secondfactor.Setup{}, err
	}
	return fs.totp.Begin(ctx, user.User, secondfactor.OfSession(session.ID))
}

// ConfirmTOTP activates the key with its first right code; an earlier app stops working. A wrong code is
// CodeInvalidCode; drift, when not zero, is by how much the phone's clock seems to be off.
func (fs *Factors) ConfirmTOTP(ctx context.Context, by change.By, address netip.Addr,
	code string) (c Changed, drift time.Duration, err error) {
	user, session, err := fs.changes.Caller(ctx, by.Principal)
	if err != nil {
		return Changed{}, 0, err
	}
	if err := fs.changes.CheckFresh(ctx, by.Principal); err != nil {
		return Changed{}, 0, err
	}
	row, step, drift, err := fs.totp.CheckSetup(ctx, user.ID, secondfactor.OfSession(session.ID), code)
	if err != nil {
		return Changed{}, drift, err
	}
	c, err = fs.change(ctx, by, func(ctx context.Context, c *factorChange) error {
		c.proof = secondfactor.Proven(c.proof, fs.changes.Now(), identity.AMROTP)
		c.codes, err = fs.activateTOTP(ctx, c.Tx, c.by, c.user.User, c.factors, row, step)
		return err
	})
	return c, 0, err
}

// activateTOTP puts the key into use, with recovery codes when there are none.
func (fs *Factors) activateTOTP(ctx context.Context, tx *change.Tx, by change.By, user identity.User, f store.Factors,
	row store.TOTPSecret, step int64) ([]string, error) {
	won, err := tx.ActivateTOTP(ctx, row, step, fs.changes.Now())
	if err == nil && !won {
		err = secondfactor.ErrNoSetup
	}
	if err != nil {
		return nil, err
	}
	name := audit.AuthnMFAEnabled
	if !f.TOTP.IsZero() {
		name = audit.AuthnMFAChanged
	}
	tx.Record(factorEvent(by, name, user, identity.MethodTOTP))
	return fs.recovery.First(ctx, tx, user.ID, f)
}

// RemoveTOTP removes the authenticator app. The last factor of a user who must have one is CodeConflict.
func (fs *Factors) RemoveTOTP(ctx context.Context, by change.By) (Changed, error) {
	return fs.change(ctx, by, func(ctx context.Context, c *factorChange) error {
		if c.factors.TOTP.IsZero() {
			return identity.NotFound("There is no authenticator app.")
		}
		left := c.factors
		left.TOTP = time.Time{}
		if err := fs.mayDrop(c.user, left); err != nil {
			return err
		}
		if _, err := c.DeleteTOTP(ctx, c.user.ID); err != nil {
			return err
		}
		c.Record(factorEvent(c.by, audit.AuthnMFARemoved, c.user.User, identity.MethodTOTP))
		return fs.dropped(ctx, c.Tx, c.user.ID, left, identity.MethodTOTP)
	})
}
