package people

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// SetupLife is how long a setup link works.
const SetupLife = time.Hour

const setupKind = "setup"

// ErrSetUp means that there are users already: the setup page is gone for good (404).
var ErrSetUp = identity.NotFound("This gateway is set up already.")

// NeedsSetup reports whether there are no users yet.
func (d *Directory) NeedsSetup(ctx context.Context) (bool, error) {
	n, err := d.Changes.Store.CountUsers(ctx)
	return n == 0, store.Unavailable(err)
}

// NewSetupCode returns a new one-time code for the setup link. Only its hash is stored, and older codes stop working.
// It works once, within SetupLife, while there are no users.
func (d *Directory) NewSetupCode(ctx context.Context, by change.By) (string, error) {
	code, hash := session.NewSecret()
	err := d.Changes.Run(ctx, func(tx *change.Tx) error {
		n, err := tx.CountUsers(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			return ErrSetUp
		}
		if err := tx.DeleteOneTimes(ctx, setupKind); err != nil {
			return err
		}
		tx.Record(by.Event(audit.SetupLinkCreated, "success"))
		now := d.Changes.Now()
		return tx.PutOneTime(ctx, store.OneTime{Kind: setupKind, Hash: hash, Created: now, Expires: now.Add(SetupLife)})
	})
	return code, err
}

var errSetupCode = identity.Invalid("This setup code is not valid any more. Run: caddy truxe setup")

// Setup creates the first administrator with a setup code. Of racing uses one wins (R5): consuming the code and
// creating the user are one transaction.
func (d *Directory) Setup(ctx context.Context, by change.By, code string, in NewUser) (identity.User, error) {
	hash, ok := session.ParseSecret(code)
	if !ok {
		return identity.User{}, errSetupCode
	}
	if valid, err := d.Changes.Store.PeekOneTime(ctx, setupKind, hash, d.Changes.Now()); err != nil || !valid {
		if err == nil { // before hashing: a wrong code must not cost a hash
			err = errSetupCode
		}
		return identity.User{}, store.Unavailable(err)
	}
	return d.firstAdmin(ctx, by, in, func(tx *change.Tx) error {
		_, won, err := tx.ConsumeOneTime(ctx, setupKind, hash, d.Changes.Now())
		if err == nil && !won {
			err = errSetupCode
		}
		return err
	})
}

// CreateFirstAdmin creates the first administrator for the host operator: from the command line or the environment.
func (d *Directory) CreateFirstAdmin(ctx context.Context, by change.By, in NewUser) (identity.User, error) {
	return d.firstAdmin(ctx, by, in, func(tx *change.Tx) error { return tx.DeleteOneTimes(ctx, setupKind) })
}

func (d *Directory) firstAdmin(ctx context.Context, by change.By, in NewUser,
	before func(*change.Tx) error) (identity.User, error) {
	in.Roles = []string{identity.AdminRole}
	if in.Password == "" {
		return identity.User{}, identity.Refuse(identity.CodePasswordRefused, "Choose a password.")
	}
	u, err := d.prepare(ctx, in)
	if err != nil {
		return identity.User{}, err
	}
	err = d.Changes.Run(ctx, func(tx *change.Tx) error {
		if err := before(tx); err != nil {
			return err
		}
		e := by.UserEvent(audit.UserCreated, u.User)
		e.Details = map[string]string{"roles": identity.AdminRole, "first": "yes"}
		tx.Record(e)
		err := tx.CreateFirstUser(ctx, u)
		if errors.Is(err, store.ErrConflict) {
			return ErrSetUp
		}
		return err
	})
	return u.User, err
}
