package signin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// The challenge of a sign-in with a passkey carries its own proof, since anyone may ask for one and none must cost
// memory or storage (R14): the time of issue, 16 random bytes, and a MAC of both with the host and the browser that
// asked. It is used up in SQL by the sign-in that it leads to; an answer that proves nothing leaves nothing behind.
const (
	challengeTime   = 8
	challengeRandom = 16
	challengeSize   = challengeTime + challengeRandom + sha256.Size
)

// usedChallenge is the kind of the one-time rows that say which challenges have led to a sign-in.
const usedChallenge = "passkey_challenge"

func (k *passkeys) newSignInChallenge(host string, bound []byte) []byte {
	c := make([]byte, challengeTime+challengeRandom, challengeSize)
	binary.BigEndian.PutUint64(c, uint64(k.changes.Now().UnixMilli()))
	_, _ = rand.Read(c[challengeTime:])
	return append(c, k.challengeMAC(host, bound, c)...)
}

// challengeMAC is keyed by a key that all nodes have and no rotation changes.
func (k *passkeys) challengeMAC(host string, bound, text []byte) []byte {
	sub := hmac.New(sha256.New, k.key)
	sub.Write([]byte("truxe passkey sign-in challenge v1"))
	mac := hmac.New(sha256.New, sub.Sum(nil))
	mac.Write(bound) // of one length, as is text
	mac.Write(text)
	mac.Write([]byte(host))
	return mac.Sum(nil)
}

var errForgedChallenge = errors.New("its challenge is old, of another page or not of this gateway")

// signInChallenge checks the challenge that an answer names and returns what it was issued with.
func (k *passkeys) signInChallenge(text, host string, bound []byte) (challenge, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// the decoder skips line breaks
	if err != nil || len(raw) != challengeSize || base64.RawURLEncoding.EncodeToString(raw) != text {
		return challenge{}, errForgedChallenge
	}
	head := raw[:challengeTime+challengeRandom]
	if !hmac.Equal(raw[len(head):], k.challengeMAC(host, bound, head)) {
		return challenge{}, errForgedChallenge
	}
	now, issued := k.changes.Now(), time.UnixMilli(int64(binary.BigEndian.Uint64(head)))
	if age := now.Sub(issued); age < -change.Leeway || age >= credential.ChallengeLife {
		return challenge{}, errForgedChallenge
	}
	rp, err := k.relyingParty(host)
	if err != nil {
		return challenge{}, err
	}
	ceremony, err := rp.BeginGet(raw)
	if err != nil {
		return challenge{}, err
	}
	return challenge{For: PasskeySignIn, Host: host, Bound: bound, State: ceremony.State,
		used: &store.OneTime{Kind: usedChallenge, Hash: secret.Hash(text), Created: now,
			Expires: issued.Add(credential.ChallengeLife + 2*change.Leeway)}}, nil
}
