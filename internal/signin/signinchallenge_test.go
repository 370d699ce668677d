package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/change/changetest"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
)

// counted is a cluster that counts what is stored in it.
type counted struct {
	cluster.Cluster
	puts atomic.Int64
}

func (c *counted) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	c.puts.Add(1)
	return c.Cluster.Put(ctx, key, value, ttl)
}

func (c *counted) PutNew(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	c.puts.Add(1)
	return c.Cluster.PutNew(ctx, key, value, ttl)
}

// challengeIn reads the challenge of options.
func challengeIn(t *testing.T, options []byte) string {
	t.Helper()
	var o struct {
		PublicKey struct{ Challenge string } `json:"publicKey"`
	}
	if err := json.Unmarshal(options, &o); err != nil || len(o.PublicKey.Challenge) < 22 {
		t.Fatalf("%s: %v", options, err)
	}
	return o.PublicKey.Challenge
}

// ED-08 R14: a sign-in with a passkey can be begun by anyone, as often as they like: it stores nothing, in no
// store. Answers that prove nothing store nothing either.
func TestBegunPasskeySignInsStoreNothing(t *testing.T) {
	shared := &counted{Cluster: cluster.NewLocal(cluster.LocalOptions{})}
	t.Cleanup(func() { _ = shared.Close() })
	n := newNode(t, storetest.Fresh(t, "sqlite"), setting{Options: changetest.Options{Cluster: shared}})
	b, a := withPasskey(t, n, "ada")
	before := shared.puts.Load()
	seen := map[string]bool{}
	var c *browser
	var options []byte
	for range 2000 {
		c = b.stranger()
		options = c.options(PasskeySignIn)
		seen[challengeIn(t, options)] = true
	}
	if len(seen) != 2000 {
		t.Errorf("%d different challenges of 2000", len(seen))
	}
	forger := credentialtest.New(t)
	forger.ID, forger.Handle = a.ID, a.Handle
	_, err := c.alone(answer(t, forger, options)) // the right passkey's name, the wrong key
	wants(t, err, identity.CodeInvalidCredentials)
	if puts := shared.puts.Load() - before; puts != 0 {
		t.Errorf("%d values were stored", puts)
	}
	marked := func() bool {
		t.Helper()
		there, err := n.st.PeekOneTime(context.Background(), "passkey_challenge", secret.Hash(challengeIn(t, options)),
			n.clock.Now())
		must(t, err)
		return there
	}
	if marked() {
		t.Error("an answer that proves nothing has used the challenge up")
	}
	must2(c.alone(answer(t, a, options)))(t) // control: the same challenge, answered by its owner
	if !marked() {
		t.Error("a sign-in has not used its challenge up")
	}
}

// MF-14 ED-08: a challenge is good once, for five minutes, on its host, in the browser that asked, as it was given out.
func TestSignInChallengeIsBound(t *testing.T) {
	n := newNode(t, storetest.Fresh(t, "sqlite"), setting{limits: unlimited})
	b, a := withPasskey(t, n, "ada")
	c := b.stranger()
	refused := func(what string, who *browser, options []byte) {
		t.Helper()
		if _, err := who.alone(answer(t, a, options)); identity.CodeOf(err) != identity.CodeInvalidCredentials {
			t.Errorf("%s: %v", what, err)
		}
	}
	options := c.options(PasskeySignIn)
	challenge := challengeIn(t, options)
	raw, err := base64.RawURLEncoding.DecodeString(challenge)
	must(t, err)
	refused("another browser", c.stranger(), options)
	for i := range raw {
		changed := append([]byte{}, raw...)
		changed[i] ^= 1
		refused("changed", c, []byte(strings.Replace(string(options), challenge,
			base64.RawURLEncoding.EncodeToString(changed), 1)))
	}
	for _, forged := range []string{base64.RawURLEncoding.EncodeToString(raw[:len(raw)-1]), challenge + "AA",
		base64.RawURLEncoding.EncodeToString(make([]byte, len(raw))), strings.Repeat("A", 43)} {
		refused("forged", c, []byte(strings.Replace(string(options), challenge, forged, 1)))
	}
	other := *c
	other.host = "other.example.com"
	refused("another host's", c, other.options(PasskeySignIn))
	good := answer(t, a, options)
	must2(c.alone(good))(t) // whatever others tried with it
	for what, who := range map[string]*browser{"again": c, "again in another browser": c.stranger()} {
		if _, err := who.alone(good); identity.CodeOf(err) != identity.CodeInvalidCredentials {
			t.Errorf("%s: %v", what, err)
		}
	}
	keys, err := n.st.Passkeys(context.Background(), b.user.ID)
	must(t, err)
	// MF-16: a browser that sends a form twice has no copy of a passkey
	if n.audited(audit.PasskeySuspect) != 0 || len(keys) != 1 || keys[0].Suspect {
		t.Errorf("an answer that was sent twice is taken for a copied passkey: %d records, %+v",
			n.audited(audit.PasskeySuspect), keys)
	}
	refused("signed once more", c, options)
	soon, late := c.options(PasskeySignIn), c.options(PasskeySignIn)
	n.clock.Move(credential.ChallengeLife - time.Second)
	must2(c.alone(answer(t, a, soon)))(t)
	n.clock.Move(time.Second)
	refused("after five minutes", c, late)
	n.clock.Move(-time.Hour)
	refused("of the future", c, late)
}

// R5 ED-08: of 50 answers to one challenge at once, on two nodes, one signs in; each is signed and counted on its own.
func TestOneOfFiftyAnswersToOneChallengeWins(t *testing.T) {
	raced(t, func(t *testing.T, b *browser, nodes []*node) {
		a := credentialtest.New(t)
		fresh(t, b)
		b.signIn()
		b.passkey(a)
		for round := range rounds(t, 3) {
			c := b.stranger()
			options := c.options(PasskeySignIn)
			answers := make([][]byte, 50)
			for i := range answers {
				answers[i] = answer(t, a, options)
			}
			won := race(50, func(i int) bool {
				one := *c
				_, err := one.on(nodes[i%len(nodes)]).alone(answers[i])
				return err == nil
			})
			if won != 1 {
				t.Fatalf("round %d: %d sign-ins with one challenge", round, won)
			}
		}
	})
}

// FuzzSignInChallenge: of all texts only what was given out to this browser is a challenge.
func FuzzSignInChallenge(f *testing.F) {
	now := time.UnixMilli(1_780_000_005_000)
	k := &passkeys{key: []byte(strings.Repeat("k", 32)), changes: &change.Changes{Now: func() time.Time { return now }},
		origins: func(h string) []string { return []string{"https://" + h} }, brand: "Example"}
	mine := bound("flow")
	good := base64.RawURLEncoding.EncodeToString(k.newSignInChallenge(host, mine))
	for _, s := range []string{good, good + "A", good[1:], "", strings.Repeat("A", len(good)), good + "\n"} {
		f.Add(s, host, "flow")
	}
	f.Fuzz(func(t *testing.T, text, at, flow string) {
		c, err := k.signInChallenge(text, at, bound(flow))
		raw, _ := base64.RawURLEncoding.DecodeString(text)
		if err == nil && (base64.RawURLEncoding.EncodeToString(raw) != text || at != host || flow != "flow" ||
			c.used == nil) {
			t.Fatalf("%q at %q is a challenge", text, at)
		}
	})
}
