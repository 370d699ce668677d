package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

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
	By   change.By // PasskeyConfirm and PasskeyCreate: who is signed in
}

// BeginPasskey gives the options for the browser: {"publicKey":{…}}. PasskeyCreate of a session asks CheckFresh first.
// A host that cannot have passkeys is CodeInvalidRequest with the reason.
func (a *Accounts) BeginPasskey(ctx context.Context, in PasskeyBegin) (json.RawMessage, error) {
	rp, err := a.relyingParty(in.Host)
	if err != nil {
		return nil, err
	}
	c := challenge{For: in.For, Host: in.Host, Bound: bound(in.Bound)}
	if in.Half != nil {
		c.Half = in.Half[:]
	}
	var user identity.User
	switch {
	case in.Bound == "":
		err = errNoFlow
	case in.For == PasskeySignIn && in.Half == nil: // the same for everybody (MF-18)
	case in.For == PasskeySecond && in.Half != nil, in.For == PasskeyCreate && in.Half != nil:
		user, err = a.challenged(ctx, in)
	case (in.For == PasskeyConfirm || in.For == PasskeyCreate) && in.By.Principal != nil:
		record, _, selfErr := a.Caller(ctx, in.By.Principal)
		if user, err = record.User, selfErr; err == nil && in.For == PasskeyCreate {
			err = a.CheckFresh(ctx, in.By.Principal)
		}
	default:
		err = &identity.Error{Code: identity.CodeInvalidRequest, Detail: "There is no such use of a passkey."}
	}
	if err != nil {
		return nil, err
	}
	if in.For == PasskeySignIn {
		ceremony, err := rp.BeginGet(a.newSignInChallenge(in.Host, c.Bound))
		return ceremony.Options, err
	}
	ceremony, err := a.ceremony(ctx, rp, in.For, user)
	if err != nil {
		return nil, err
	}
	c.User, c.State = idText(user.ID), ceremony.State
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	if err := a.Cluster.Put(ctx, challengeKey(ceremony.Challenge), raw, credential.ChallengeLife); err != nil {
		return nil, clusterLost(err)
	}
	return ceremony.Options, nil
}

// challenged is the person of a half sign-in, for a challenge that fits what is due there.
func (a *Accounts) challenged(ctx context.Context, in PasskeyBegin) (identity.User, error) {
	_, user, f, err := a.readHalf(ctx, *in.Half, in.Host)
	if err == nil && f.Any() == (in.For == PasskeyCreate) {
		err = &identity.Error{Code: identity.CodeInvalidRequest, Detail: "This step does not fit this sign-in. Start over."}
	}
	return user.User, err
}

func (a *Accounts) ceremony(ctx context.Context, rp credential.RelyingParty, what string, user identity.User) (credential.Ceremony, error) {
	if what != PasskeyCreate {
		return rp.BeginGet(nil)
	}
	all, err := a.Store.Passkeys(ctx, user.ID)
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

// challenge is what is known of a challenge that was given out. The cluster keeps it, but for the challenges of anonymous
// sign-ins, which carry it themselves.
type challenge struct {
	For   string          `json:"for"`
	Host  string          `json:"host"`
	Bound []byte          `json:"bound"` // hash of what it is bound to
	User  string          `json:"user,omitempty"`
	Half  []byte          `json:"half,omitempty"`
	State json.RawMessage `json:"state"`

	used *store.OneTime // what uses it up in SQL; nil: it was taken out of the cluster
}

func bound(s string) []byte {
	sum := sha256.Sum256([]byte("truxe passkey for:" + s))
	return sum[:]
}

func challengeKey(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "challenge:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// errPasskey refuses an answer, whatever was wrong with it.
var errPasskey = &identity.Error{Code: identity.CodeInvalidCode, Detail: "This passkey was not accepted. Try again or use another way."}

func badPasskey(why error) error {
	return &identity.Error{Code: errPasskey.Code, Detail: errPasskey.Detail, Err: why}
}

// answered finds the challenge of an answer. It must be for what it is answered for: the same use, host, browser or session,
// person and half sign-in (MF-14). One from the cluster is used up whatever comes of it; that of an anonymous sign-in is used
// up with the sign-in, in its transaction.
func (a *Accounts) answered(ctx context.Context, want challenge, body []byte) (challenge, error) {
	text, err := credential.ChallengeOf(body)
	if err != nil {
		return challenge{}, badPasskey(err)
	}
	if want.For == PasskeySignIn {
		c, err := a.signInChallenge(text, want.Host, want.Bound)
		if errors.Is(err, errForgedChallenge) {
			err = badPasskey(err)
		}
		return c, err
	}
	raw, ok, err := a.Cluster.Pop(ctx, challengeKey(text))
	if err != nil {
		return challenge{}, clusterLost(err)
	}
	var c challenge
	if !ok || json.Unmarshal(raw, &c) != nil {
		return c, badPasskey(errChallenge)
	}
	if c.For != want.For || c.Host != want.Host || c.User != want.User || subtle.ConstantTimeCompare(c.Bound, want.Bound) != 1 ||
		subtle.ConstantTimeCompare(c.Half, want.Half) != 1 {
		return c, badPasskey(errChallenge)
	}
	return c, nil
}

func clusterLost(err error) error {
	return &identity.Error{Code: identity.CodeStateUnavailable, RetryAfter: 2 * time.Second, Err: err}
}
