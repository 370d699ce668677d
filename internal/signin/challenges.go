package signin

import (
	"context"
	"encoding/json"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// What a passkey's challenge is for.
const (
	PasskeySignIn  = "sign_in" // the only step of a sign-in
	PasskeySecond  = "second"  // of a half sign-in
	PasskeyConfirm = "confirm" // step-up
	PasskeyCreate  = "create"  // a new one, of a session or of a half sign-in that must enrol
)

// PasskeyBegin asks for a challenge: one use, ChallengeLife, bound to the browser or session that asked (MF-14).
type PasskeyBegin struct {
	For   string
	Host  string // folded; the relying party
	Bound string // sign-in and second step: value of the flow cookie or mfa_token; confirm and create: the session's id
	// Half names the half sign-in of PasskeySecond, and of PasskeyCreate within one; nil otherwise.
	Half *HalfKey
	By   change.By // PasskeyConfirm and PasskeyCreate: the user who is signed in
}

// Challenges issues the challenges of passkeys.
type Challenges struct {
	changes  *change.Changes
	passkeys *passkeys
	halves   *HalfSignIns
}

// Begin returns the options for the browser: {"publicKey":{…}}. PasskeyCreate of a session requires CheckFresh.
// A host that cannot have passkeys is CodeInvalidRequest with the reason.
func (c *Challenges) Begin(ctx context.Context, in PasskeyBegin) (json.RawMessage, error) {
	rp, err := c.passkeys.relyingParty(in.Host)
	if err != nil {
		return nil, err
	}
	ch := challenge{For: in.For, Host: in.Host, Bound: bound(in.Bound)}
	if in.Half != nil {
		ch.Half = in.Half[:]
	}
	var user identity.User
	switch {
	case in.Bound == "":
		err = errNoFlow
	case in.For == PasskeySignIn && in.Half == nil: // the same for all users (MF-18)
	case in.For == PasskeySecond && in.Half != nil, in.For == PasskeyCreate && in.Half != nil:
		user, err = c.userOf(ctx, in)
	case (in.For == PasskeyConfirm || in.For == PasskeyCreate) && in.By.Principal != nil:
		record, _, selfErr := c.changes.Caller(ctx, in.By.Principal)
		if user, err = record.User, selfErr; err == nil && in.For == PasskeyCreate {
			err = c.changes.CheckFresh(ctx, in.By.Principal)
		}
	default:
		err = identity.Invalid("There is no such use of a passkey.")
	}
	if err != nil {
		return nil, err
	}
	if in.For == PasskeySignIn {
		ceremony, err := rp.BeginGet(c.passkeys.newSignInChallenge(in.Host, ch.Bound))
		return ceremony.Options, err
	}
	ceremony, err := c.ceremony(ctx, rp, in.For, user)
	if err != nil {
		return nil, err
	}
	ch.User, ch.State = idText(user.ID), ceremony.State
	if err := c.passkeys.putChallenge(ctx, ceremony.Challenge, ch); err != nil {
		return nil, err
	}
	return ceremony.Options, nil
}

// userOf returns the user of a half sign-in, for a challenge that fits the step that is due there.
func (c *Challenges) userOf(ctx context.Context, in PasskeyBegin) (identity.User, error) {
	_, user, f, err := c.halves.read(ctx, *in.Half, in.Host)
	if err == nil && f.Any() == (in.For == PasskeyCreate) {
		err = identity.Invalid("This step does not fit this sign-in. Start over.")
	}
	return user.User, err
}

func (c *Challenges) ceremony(ctx context.Context, rp credential.RelyingParty, what string,
	user identity.User) (credential.Ceremony, error) {
	if what != PasskeyCreate {
		return rp.BeginGet(nil)
	}
	all, err := c.changes.Store.Passkeys(ctx, user.ID)
	if err != nil {
		return credential.Ceremony{}, store.Unavailable(err)
	}
	here := all[:0]
	for _, p := range all {
		if p.Host == rp.Host {
			here = append(here, p)
		}
	}
	return rp.BeginCreate(user, here)
}
