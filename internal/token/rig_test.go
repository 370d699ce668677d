package token

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
)

const ourIssuer = "https://auth.example.com"

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now().Truncate(time.Second)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Making RSA keys is slow: the tests share two.
var (
	ourKey      = sync.OnceValue(func() *rsa.PrivateKey { return mustKey(2048) })
	attackerKey = sync.OnceValue(func() *rsa.PrivateKey { return mustKey(2048) })
)

func mustKey(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	s := must(store.Open(t.Context(), store.Config{DSN: filepath.Join(t.TempDir(), "t.db")}))(t)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newBox(t testing.TB) *secret.Box {
	t.Helper()
	var k secret.Key
	_, _ = rand.Read(k[:])
	return must(secret.NewBox(k))(t)
}

// rig is a ring with a known key, an issuer and a verifier.
type rig struct {
	t        testing.TB
	clock    *clock
	store    *store.Store
	box      *secret.Box
	ring     *Ring
	issuer   *Issuer
	verifier *Verifier
	user     identity.User
	session  identity.ID
}

func newRig(t testing.TB, trust ...*Trust) *rig {
	t.Helper()
	return newRigAt(t, newClock(), trust...)
}

func newRigAt(t testing.TB, c *clock, trust ...*Trust) *rig {
	t.Helper()
	r := &rig{t: t, clock: c, store: openStore(t), box: newBox(t), session: identity.NewID()}
	r.user = identity.User{ID: identity.NewID(), Username: "Ann", Email: "ann@example.com", Name: "Ann Lee",
		Roles: []string{"viewer"}}
	r.ring = must(OpenRing(t.Context(), r.store, r.box, RingConfig{Import: pkcs1PEM(ourKey()), Access: 15 * time.Minute,
		Now: r.clock.now}))(t)
	r.issuer = NewIssuer(r.ring, IssuerConfig{Issuer: func(string) string { return ourIssuer },
		Audience: []string{"truxe"}, Access: 15 * time.Minute, Now: r.clock.now})
	r.verifier = must(NewVerifier(VerifierConfig{Ring: r.ring, Issuers: []string{ourIssuer}, Audience: []string{"truxe"},
		Trust: trust, Now: r.clock.now}))(t)
	return r
}

func (r *rig) issue() string {
	r.t.Helper()
	return must(r.issuer.Issue(Claims{User: r.user, SessionID: r.session.String(), ClientID: "truxe",
		Host:  "app.example.com",
		Proof: identity.Proof{AuthTime: r.clock.now(), AMR: []string{"pwd"}, ACR: "1"}}))(r.t).Token
}

func (r *rig) verify(raw string) error {
	r.t.Helper()
	_, err := r.verifier.Verify(context.Background(), raw)
	if err != nil && identity.CodeOf(err) != identity.CodeInvalidToken {
		r.t.Errorf("the refusal has code %s, want invalid_token: %v", identity.CodeOf(err), err)
	}
	return err
}

// refused wants a refusal, with a good token accepted before and after.
func (r *rig) refused(name, raw string) {
	r.t.Helper()
	if r.verify(raw) == nil {
		r.t.Errorf("%s: accepted", name)
	}
	r.control()
}

func (r *rig) accepted(name, raw string) {
	r.t.Helper()
	if err := r.verify(raw); err != nil {
		r.t.Errorf("%s: %v", name, err)
	}
}

func (r *rig) control() {
	r.t.Helper()
	if err := r.verify(r.issue()); err != nil {
		r.t.Fatal("accept control: a good token is refused:", err)
	}
}

type m = map[string]any

// parts decodes a token into header and claims.
func parts(t testing.TB, raw string) (header, claims m) {
	t.Helper()
	head, body, _, err := segments(raw)
	if err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal(head, &header) != nil || json.Unmarshal(body, &claims) != nil {
		t.Fatal("token is not JSON")
	}
	return header, claims
}

// with copies members and changes some; removed{} takes one out.
func with(base m, change m) m {
	out := maps.Clone(base)
	for k, v := range change {
		if _, gone := v.(removed); gone {
			delete(out, k)
			continue
		}
		out[k] = v
	}
	return out
}

type removed struct{}

func enc(v any) string {
	switch raw := v.(type) {
	case string:
		return base64.RawURLEncoding.EncodeToString([]byte(raw))
	case []byte:
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// sign returns a token with an RS256 signature whatever its header says. header and claims are maps, or raw text.
func sign(key *rsa.PrivateKey, header, claims any) string {
	input := enc(header) + "." + enc(claims)
	return input + "." + enc(rs256(key, input))
}

func rs256(key *rsa.PrivateKey, input string) []byte {
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return sig
}

func mac(hash crypto.Hash, key []byte, header, claims any) string {
	input := enc(header) + "." + enc(claims)
	h := hmac.New(hash.New, key)
	h.Write([]byte(input))
	return input + "." + enc(h.Sum(nil))
}

// good returns the header and claims of a good token.
func (r *rig) good() (header, claims m) { return parts(r.t, r.issue()) }

func mustJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
