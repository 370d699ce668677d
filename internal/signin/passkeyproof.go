package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/netip"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// passkeys creates and checks passkeys.
type passkeys struct {
	changes  *change.Changes
	cluster  cluster.Cluster
	key      []byte
	brand    string
	origins  func(host string) []string
	attempts *attempts
	devices  *Devices
}

// UnknownPasskey is inside the error of a passkey that no user has: the page can signal the browser to hide it.
type UnknownPasskey struct{ CredentialID string } // base64url

func (e *UnknownPasskey) Error() string { return "no user has this passkey" }

var (
	errChallenge = errors.New("its challenge is used, old or of another page")
	errStranger  = errors.New("it is another user's passkey")
	errCopied    = errors.New("its counter did not grow")
)

// check checks an answer. owner is the user who must have the passkey; zero for any user.
func (k *passkeys) check(ctx context.Context, want challenge, body []byte,
	owner identity.ID) (store.Passkey, secondfactor.Verified, error) {
	c, err := k.consumeChallenge(ctx, want, body)
	if err != nil {
		return store.Passkey{}, secondfactor.Verified{}, err
	}
	rp, err := k.relyingParty(want.Host)
	if err != nil {
		return store.Passkey{}, secondfactor.Verified{}, err
	}
	proof, err := rp.FinishGet(c.State, body, func(id []byte) (store.Passkey, error) {
		p, err := k.changes.Store.PasskeyByCredential(ctx, id, want.Host)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return p, badPasskey(&UnknownPasskey{base64.RawURLEncoding.EncodeToString(id)})
		case err != nil:
			return p, store.Unavailable(err)
		case !owner.IsZero() && p.UserID != owner:
			return p, badPasskey(errStranger) // MF-17
		}
		return p, nil
	})
	if errors.Is(err, credential.ErrPasskey) {
		err = badPasskey(err)
	}
	if err != nil {
		return proof.Passkey, secondfactor.Verified{}, err
	}
	if proof.Cloned {
		return proof.Passkey, secondfactor.Verified{}, k.counterWentBack(ctx, c)
	}
	return proof.Passkey, secondfactor.Verified{Method: identity.MethodPasskey, AMR: passkeyAMR(proof.Passkey),
		Use: func(ctx context.Context, tx *change.Tx) error {
			if c.used != nil {
				if err := tx.PutOneTime(ctx, *c.used); errors.Is(err, store.ErrConflict) {
					return badPasskey(errChallenge)
				} else if err != nil {
					return err
				}
			}
			won, err := tx.UsePasskey(ctx, proof.Passkey.ID, proof.Count, proof.BackedUp, k.changes.Now())
			if err == nil && !won { // another use of the same counter was first, or the passkey was removed meanwhile
				err = badPasskey(errCopied)
			}
			return err
		}}, nil
}

// counterWentBack returns why an answer with an old counter is refused. To a challenge that has led to a sign-in it is
// the same answer once more, as after Back or a lost connection, and no sign of a copied passkey (MF-16).
func (k *passkeys) counterWentBack(ctx context.Context, c challenge) error {
	if c.used == nil {
		return badPasskey(errCopied)
	}
	used, err := k.changes.Store.PeekOneTime(ctx, c.used.Kind, c.used.Hash, k.changes.Now())
	switch {
	case err != nil:
		return store.Unavailable(err)
	case used:
		return badPasskey(errChallenge)
	}
	return badPasskey(errCopied)
}

// passkeyTry is an answer of a browser to a challenge.
type passkeyTry struct {
	want    challenge
	answer  json.RawMessage
	owner   identity.ID // zero for any user
	device  string      // value of the device cookie
	address netip.Addr
	by      change.By
	event   string // of a failure
}

// try reserves an attempt, checks the answer and calls then. Failures of others do not stop it; its own are counted on
// its owner and on the address (LK-03, LK-05).
func (k *passkeys) try(ctx context.Context, try passkeyTry,
	then func(store.Passkey, secondfactor.Verified) error) error {
	claimed, owner, err := k.claimed(ctx, try)
	if err != nil {
		return err
	}
	at := ratelimit.Attempt{Address: try.address}
	if device, err := k.devices.known(ctx, try.device, owner.ID); err != nil {
		return err
	} else if device != nil {
		at.Person, at.Device = personKey(owner.ID), device.ID.String()
	}
	counted, err := k.attempts.begin(ctx, try.by, owner, at)
	if err != nil {
		return err
	}
	p, factor, err := k.check(ctx, try.want, try.answer, try.owner)
	if err == nil {
		err = then(p, factor)
	}
	switch {
	case err == nil:
		if err := counted.Succeed(context.WithoutCancel(ctx)); err != nil {
			k.changes.Logger.Warn("could not refund the attempt", "error", err)
		}
		return nil
	case identity.CodeOf(err) != identity.CodeInvalidCode:
		_ = counted.Abandon(context.WithoutCancel(ctx))
		return err
	}
	counted.Fail()
	return errors.Join(k.recordRefused(ctx, try, claimed, owner, err), err)
}

// claimed returns the passkey that an answer names and its owner, zero without one. It proves nothing.
func (k *passkeys) claimed(ctx context.Context, try passkeyTry) (store.Passkey, store.UserRecord, error) {
	var none store.UserRecord
	p, err := k.changes.Store.PasskeyByCredential(ctx, credential.CredentialOf(try.answer), try.want.Host)
	if errors.Is(err, store.ErrNotFound) {
		return p, none, nil
	}
	if err != nil {
		return p, none, store.Unavailable(err)
	}
	user, err := k.changes.Store.UserByID(ctx, p.UserID)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return p, user, store.Unavailable(err)
}

// recordRefused records a refused passkey. One whose counter went back is marked (MF-16).
func (k *passkeys) recordRefused(ctx context.Context, try passkeyTry, p store.Passkey, owner store.UserRecord,
	cause error) error {
	e := try.by.UserEvent(try.event, owner.User)
	e.Subject.ID = idText(owner.ID)
	e.Outcome, e.Reason, e.Details = "failure", "wrong_passkey", map[string]string{"method": identity.MethodPasskey}
	var unknown *UnknownPasskey
	copied := errors.Is(cause, errCopied)
	switch {
	case copied:
		e.Reason = "passkey_copied"
	case errors.As(cause, &unknown):
		e.Reason = "unknown_passkey"
	}
	k.changes.Logger.Info("a passkey was refused", "reason", e.Reason, "error", cause)
	if !owner.ID.IsZero() {
		if err := k.attempts.guard.Blame(ctx, personKey(owner.ID)); err != nil {
			k.changes.Logger.Warn("could not count a refused passkey", "error", err)
		}
	}
	return k.changes.Run(ctx, func(tx *change.Tx) error {
		tx.Record(e)
		if !copied {
			return nil
		}
		suspect := try.by.UserEvent(audit.PasskeySuspect, owner.User)
		suspect.Outcome, suspect.Details = "failure", map[string]string{"passkey": p.ID.String(), "name": p.Name}
		tx.Record(suspect)
		err := tx.SuspectPasskey(ctx, p.ID)
		if errors.Is(err, store.ErrNotFound) { // removed meanwhile
			err = nil
		}
		return err
	})
}
