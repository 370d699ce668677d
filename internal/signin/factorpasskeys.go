package signin

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// maxPasskeys bounds the passkeys of one user.
const maxPasskeys = 50

// Passkeys returns a user's passkeys, oldest first.
func (fs *Factors) Passkeys(ctx context.Context, user identity.ID) ([]store.Passkey, error) {
	list, err := fs.changes.Store.Passkeys(ctx, user)
	return list, store.Unavailable(err)
}

// AddPasskey takes the browser's answer to BeginPasskey with PasskeyCreate. Name "" is chosen from its kind and the
// browser.
func (fs *Factors) AddPasskey(ctx context.Context, by change.By, answer json.RawMessage,
	name string) (store.Passkey, Changed, error) {
	user, session, err := fs.changes.Caller(ctx, by.Principal)
	if err != nil {
		return store.Passkey{}, Changed{}, err
	}
	if err := fs.changes.CheckFresh(ctx, by.Principal); err != nil { // before the challenge is used up
		return store.Passkey{}, Changed{}, err
	}
	p, err := fs.passkeys.created(ctx, challenge{For: PasskeyCreate, Host: by.Host, Bound: bound(session.ID.String()),
		User: user.ID.String()}, user.User, answer, name, by)
	if err != nil {
		return store.Passkey{}, Changed{}, err
	}
	c, err := fs.change(ctx, by, func(ctx context.Context, c *factorChange) (err error) {
		c.proof = secondfactor.Proven(c.proof, fs.changes.Now(), passkeyAMR(p)...)
		c.codes, err = fs.storePasskey(ctx, c.Tx, c.by, c.user.User, c.factors, p)
		return err
	})
	if err != nil {
		return store.Passkey{}, Changed{}, err
	}
	return p, c, nil
}

// storePasskey adds a passkey, with recovery codes when it is the first factor.
func (fs *Factors) storePasskey(ctx context.Context, tx *change.Tx, by change.By, user identity.User, f store.Factors,
	p store.Passkey) ([]string, error) {
	if f.Passkeys >= maxPasskeys {
		return nil, identity.Conflict("There are too many passkeys. Remove one first.")
	}
	err := tx.CreatePasskey(ctx, p)
	if errors.Is(err, store.ErrConflict) {
		return nil, identity.Conflict("This device already has a passkey for this account.").Because(err)
	}
	if err != nil {
		return nil, err
	}
	tx.Record(passkeyEvent(by, audit.AuthnMFAEnabled, user, p))
	if f.Any() {
		return nil, nil
	}
	return fs.recovery.First(ctx, tx, user.ID, f)
}

func passkeyEvent(by change.By, name string, user identity.User, p store.Passkey) audit.Event {
	e := factorEvent(by, name, user, identity.MethodPasskey)
	e.Details["passkey"], e.Details["name"] = p.ID.String(), p.Name
	return e
}

// RenamePasskey changes a passkey's name. It requires CheckFresh.
func (fs *Factors) RenamePasskey(ctx context.Context, by change.By, id identity.ID, name string) error {
	user, _, err := fs.changes.Caller(ctx, by.Principal)
	if err != nil {
		return err
	}
	if err := fs.changes.CheckFresh(ctx, by.Principal); err != nil {
		return err
	}
	if name, err = passkeyName(name, false); err != nil {
		return err
	}
	return fs.changes.Run(ctx, func(tx *change.Tx) error {
		e := passkeyEvent(by, audit.AuthnMFAChanged, user.User, store.Passkey{ID: id, Name: name})
		e.Details["change"] = "renamed"
		tx.Record(e)
		return noPasskey(tx.RenamePasskey(ctx, user.ID, id, name))
	})
}

// RemovePasskey removes a passkey; it requires CheckFresh. The last way to sign in, or the last factor of a user who
// must have one, is CodeConflict with the reason.
func (fs *Factors) RemovePasskey(ctx context.Context, by change.By, id identity.ID) (Changed, error) {
	return fs.change(ctx, by, func(ctx context.Context, c *factorChange) error {
		list, err := c.Passkeys(ctx, c.user.ID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(p store.Passkey) bool { return p.ID == id })
		if i < 0 {
			return noPasskey(store.ErrNotFound)
		}
		left := c.factors
		left.Passkeys--
		if err := fs.mayDrop(c.user, left); err != nil {
			return err
		}
		if err := c.DeletePasskey(ctx, c.user.ID, id); err != nil {
			return noPasskey(err)
		}
		c.Record(passkeyEvent(c.by, audit.AuthnMFARemoved, c.user.User, list[i]))
		if left.Passkeys > 0 {
			return nil
		}
		return fs.dropped(ctx, c.Tx, c.user.ID, left, identity.MethodPasskey)
	})
}

func noPasskey(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return identity.NotFound("There is no such passkey.")
	}
	return err
}
