package signin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// challenge is what is known of a challenge that was issued. The cluster stores it, except for the challenges of
// anonymous sign-ins, which carry it themselves.
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
var errPasskey = identity.InvalidCode("This passkey was not accepted. Try again or use another way.")

func badPasskey(why error) error {
	return errPasskey.Because(why)
}

// putChallenge stores a challenge until it is answered or expires.
func (k *passkeys) putChallenge(ctx context.Context, text string, c challenge) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := k.cluster.Put(ctx, challengeKey(text), raw, credential.ChallengeLife); err != nil {
		return identity.Unavailable(err)
	}
	return nil
}

// consumeChallenge finds the challenge of an answer. It must be for the same use, host, browser or session, user and
// half sign-in (MF-14). A challenge in the cluster is consumed whatever the outcome; that of an anonymous sign-in is
// consumed with the sign-in, in its transaction.
func (k *passkeys) consumeChallenge(ctx context.Context, want challenge, body []byte) (challenge, error) {
	text, err := credential.ChallengeOf(body)
	if err != nil {
		return challenge{}, badPasskey(err)
	}
	if want.For == PasskeySignIn {
		c, err := k.signInChallenge(text, want.Host, want.Bound)
		if errors.Is(err, errForgedChallenge) {
			err = badPasskey(err)
		}
		return c, err
	}
	raw, ok, err := k.cluster.Pop(ctx, challengeKey(text))
	if err != nil {
		return challenge{}, identity.Unavailable(err)
	}
	var c challenge
	if !ok || json.Unmarshal(raw, &c) != nil {
		return c, badPasskey(errChallenge)
	}
	if c.For != want.For || c.Host != want.Host || c.User != want.User ||
		subtle.ConstantTimeCompare(c.Bound, want.Bound) != 1 ||
		subtle.ConstantTimeCompare(c.Half, want.Half) != 1 {
		return c, badPasskey(errChallenge)
	}
	return c, nil
}

// relyingParty returns the relying party of a host's passkeys.
func (k *passkeys) relyingParty(host string) (credential.RelyingParty, error) {
	var origins []string
	if k.origins != nil {
		origins = k.origins(host)
	}
	if !credential.PasskeysPossible(host) {
		return credential.RelyingParty{},
			identity.Invalid("Passkeys need a host name: open this site by its name, not by an address.")
	}
	if len(origins) == 0 {
		return credential.RelyingParty{}, identity.Invalid("Passkeys cannot be used on this host.")
	}
	return credential.RelyingParty{Host: host, Origins: origins, Name: k.brand}, nil
}

// created checks the answer of a browser that has created a passkey, and names it.
func (k *passkeys) created(ctx context.Context, want challenge, user identity.User, answer []byte, name string,
	by change.By) (store.Passkey, error) {
	name, err := passkeyName(name, true)
	if err != nil {
		return store.Passkey{}, err
	}
	c, err := k.consumeChallenge(ctx, want, answer)
	if err != nil {
		return store.Passkey{}, err
	}
	rp, err := k.relyingParty(want.Host)
	if err != nil {
		return store.Passkey{}, err
	}
	p, err := rp.FinishCreate(user, c.State, answer, k.changes.Now())
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

// passkeyAMR is what a passkey proves beside possession: whether it can leave its device, and that it verified its
// user.
func passkeyAMR(p store.Passkey) []string {
	if p.BackupEligible {
		return []string{identity.AMRSoftware, identity.AMRUser}
	}
	return []string{identity.AMRHardware, identity.AMRUser}
}
