package account

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// maxPasskeys bounds the passkeys of one person.
const maxPasskeys = 50

// ListPasskeys gives a person's passkeys, oldest first.
func (a *Accounts) ListPasskeys(ctx context.Context, user identity.ID) ([]store.Passkey, error) {
	list, err := a.Store.Passkeys(ctx, user)
	return list, store.Unavailable(err)
}

// AddPasskey takes the browser's answer to BeginPasskey with PasskeyCreate. Name "" is chosen from its kind and the browser.
func (a *Accounts) AddPasskey(ctx context.Context, by change.By, answer json.RawMessage, name string) (store.Passkey, Changed, error) {
	user, session, err := a.Caller(ctx, by.Principal)
	if err != nil {
		return store.Passkey{}, Changed{}, err
	}
	if err := a.CheckFresh(ctx, by.Principal); err != nil { // before the challenge is used up
		return store.Passkey{}, Changed{}, err
	}
	p, err := a.madePasskey(ctx, challenge{For: PasskeyCreate, Host: by.Host, Bound: bound(session.ID.String()), User: user.ID.String()}, user.User, answer, name, by)
	if err != nil {
		return store.Passkey{}, Changed{}, err
	}
	c, err := a.changeFactors(ctx, by, func(ctx context.Context, c *factorChange) (err error) {
		c.proof = proven(c.proof, a.Now(), passkeyAMR(p)...)
		c.codes, err = a.storePasskey(ctx, c.Tx, c.by, c.user.User, c.factors, p)
		return err
	})
	if err != nil {
		return store.Passkey{}, Changed{}, err
	}
	return p, c, nil
}

// madePasskey checks the answer of a browser that made a passkey, and names it.
func (a *Accounts) madePasskey(ctx context.Context, want challenge, user identity.User, answer []byte, name string, by change.By) (store.Passkey, error) {
	name, err := passkeyName(name, true)
	if err != nil {
		return store.Passkey{}, err
	}
	c, err := a.answered(ctx, want, answer)
	if err != nil {
		return store.Passkey{}, err
	}
	rp, err := a.relyingParty(want.Host)
	if err != nil {
		return store.Passkey{}, err
	}
	p, err := rp.FinishCreate(user, c.State, answer, a.Now())
	if errors.Is(err, credential.ErrPasskey) {
		err = badPasskey(err)
	}
	if err != nil {
		return store.Passkey{}, err
	}
	if p.Name = name; name == "" {
		p.Name = nameFor(p, by.UserAgent)
	}
	return p, nil
}

// storePasskey adds a passkey, with recovery codes when it is the first factor.
func (a *Accounts) storePasskey(ctx context.Context, tx *change.Tx, by change.By, user identity.User, f store.Factors, p store.Passkey) ([]string, error) {
	if f.Passkeys >= maxPasskeys {
		return nil, &identity.Error{Code: identity.CodeConflict, Detail: "There are too many passkeys. Remove one first."}
	}
	err := tx.CreatePasskey(ctx, p)
	if errors.Is(err, store.ErrConflict) {
		return nil, &identity.Error{Code: identity.CodeConflict, Detail: "This device already has a passkey for this account.", Err: err}
	}
	if err != nil {
		return nil, err
	}
	tx.Record(passkeyEvent(by, audit.AuthnMFAEnabled, user, p))
	if f.Any() {
		return nil, nil
	}
	return a.firstCodes(ctx, tx, user.ID, f)
}

func passkeyEvent(by change.By, name string, user identity.User, p store.Passkey) audit.Event {
	e := factorEvent(by, name, user, identity.MethodPasskey)
	e.Details["passkey"], e.Details["name"] = p.ID.String(), p.Name
	return e
}

// passkeyAMR is what a passkey proves beside possession: whether it can leave its device, and that it verified its user.
func passkeyAMR(p store.Passkey) []string {
	if p.BackupEligible {
		return []string{identity.AMRSoftware, identity.AMRUser}
	}
	return []string{identity.AMRHardware, identity.AMRUser}
}

// RenamePasskey changes a passkey's name. It asks CheckFresh.
func (a *Accounts) RenamePasskey(ctx context.Context, by change.By, id identity.ID, name string) error {
	user, _, err := a.Caller(ctx, by.Principal)
	if err != nil {
		return err
	}
	if err := a.CheckFresh(ctx, by.Principal); err != nil {
		return err
	}
	if name, err = passkeyName(name, false); err != nil {
		return err
	}
	return a.Run(ctx, func(tx *change.Tx) error {
		e := passkeyEvent(by, audit.AuthnMFAChanged, user.User, store.Passkey{ID: id, Name: name})
		e.Details["change"] = "renamed"
		tx.Record(e)
		return noPasskey(tx.RenamePasskey(ctx, user.ID, id, name))
	})
}

// RemovePasskey removes a passkey; it asks CheckFresh. The last way to sign in, or the last factor of somebody who must
// have one, is CodeConflict with the reason.
func (a *Accounts) RemovePasskey(ctx context.Context, by change.By, id identity.ID) (Changed, error) {
	return a.changeFactors(ctx, by, func(ctx context.Context, c *factorChange) error {
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
		if err := a.mayDrop(c.user, left); err != nil {
			return err
		}
		if err := c.DeletePasskey(ctx, c.user.ID, id); err != nil {
			return noPasskey(err)
		}
		c.Record(passkeyEvent(c.by, audit.AuthnMFARemoved, c.user.User, list[i]))
		if left.Passkeys > 0 {
			return nil
		}
		return a.dropped(ctx, c.Tx, c.user.ID, left, identity.MethodPasskey)
	})
}

func noPasskey(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return &identity.Error{Code: identity.CodeNotFound, Detail: "There is no such passkey."}
	}
	return err
}

// passkeyName takes a name as typed.
func passkeyName(name string, mayBeEmpty bool) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" && !mayBeEmpty || !credential.PlainText(name, 64) {
		return "", &identity.Error{Code: identity.CodeInvalidRequest, Detail: "A name has 1 to 64 characters."}
	}
	return name, nil
}

// nameFor names a passkey by its kind and the browser it was made in.
func nameFor(p store.Passkey, agent string) string {
	kind := "Passkey"
	switch {
	case p.BackupEligible:
		kind = "Synced passkey"
	case len(p.Transports) > 0 && !slices.Contains(p.Transports, "internal") && !slices.Contains(p.Transports, "hybrid"):
		kind = "Security key"
	}
	if where := browserOf(agent); where != "" {
		kind += " (" + where + ")"
	}
	return kind
}

// browserOf reads browser and system from a User-Agent, for a name that its owner can change. The order matters: most
// browsers name others too.
func browserOf(agent string) string {
	find := func(pairs ...[2]string) string {
		for _, p := range pairs {
			if strings.Contains(agent, p[0]) {
				return p[1]
			}
		}
		return ""
	}
	browser := find([2]string{"Edg", "Edge"}, [2]string{"OPR/", "Opera"}, [2]string{"Firefox/", "Firefox"}, [2]string{"FxiOS/", "Firefox"},
		[2]string{"CriOS/", "Chrome"}, [2]string{"Chrome/", "Chrome"}, [2]string{"Safari/", "Safari"})
	system := find([2]string{"iPhone", "iPhone"}, [2]string{"iPad", "iPad"}, [2]string{"Android", "Android"}, [2]string{"Windows", "Windows"},
		[2]string{"Mac OS X", "macOS"}, [2]string{"CrOS", "ChromeOS"}, [2]string{"Linux", "Linux"})
	if browser == "" || system == "" {
		return browser + system
	}
	return browser + " on " + system
}
