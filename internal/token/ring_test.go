package token

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
)

func (r *rig) open(cfg RingConfig) (*Ring, error) {
	cfg.Now, cfg.Access = r.clock.now, 15*time.Minute
	return OpenRing(context.Background(), r.store, r.box, cfg)
}

// published is the kids of the JWKS, and whether it shows anything private.
func published(t testing.TB, r *Ring) []string {
	t.Helper()
	body, etag := r.JWKS()
	keys, err := parseJWKS(body, []string{"RS256"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), `"d"`) || strings.Contains(string(body), `"p"`) || len(etag) < 10 {
		t.Errorf("JWKS %s %s", body, etag)
	}
	var kids []string
	for _, k := range keys {
		if k.kid != thumbprint(k.key.(*rsa.PublicKey)) {
			t.Errorf("kid %s is not the thumbprint of its key", k.kid)
		}
		kids = append(kids, k.kid)
	}
	slices.Sort(kids)
	return kids
}

func states(r *Ring, now time.Time) string {
	var list []string
	for _, k := range r.List(now) {
		list = append(list, k.Source+" "+k.State)
	}
	return strings.Join(list, ", ")
}

func kidOf(t testing.TB, raw string) string {
	t.Helper()
	header, _ := parts(t, raw)
	return text(header, "kid")
}

// JW-17: a new key is published before it signs; the old one verifies until its last token has ended; there is no
// moment without a signer, on the node that rotated and on one that only reads.
func TestRotationWithoutAGap(t *testing.T) {
	r := newRig(t)
	other := must(r.open(RingConfig{}))(t)
	old := r.issue()
	oldKID := kidOf(t, old)
	_, etag := r.ring.JWKS()
	r.clock.add(time.Second)

	var recorded KeyInfo
	info := must(r.ring.Rotate(t.Context(), func(_ *store.Tx, i KeyInfo) error { recorded = i; return nil }))(t)
	if recorded != info || info.State != "next" {
		t.Errorf("recorded %+v, returned %+v", recorded, info)
	}
	if kids := published(t, r.ring); !slices.Contains(kids, info.KID) || !slices.Contains(kids, oldKID) || len(kids) != 2 {
		t.Errorf("published %v", kids)
	}
	if _, after := r.ring.JWKS(); after == etag {
		t.Error("another set has the same ETag")
	}
	if got := states(r.ring, r.clock.now()); got != "imported signing, generated next" {
		t.Error(got)
	}
	if err := other.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := NewIssuer(other, r.issuer.cfg)
	for range 30 { // two hundred seconds in steps of seven
		if r.clock.add(7 * time.Second); !slices.Contains(published(t, r.ring), kidOf(t, r.issue())) {
			t.Fatal("signed with a key that is not published")
		}
		r.accepted("fresh", r.issue())
		r.accepted("of the other node", must(second.Issue(Claims{User: r.user, SessionID: r.session.String()}))(t).Token)
	}
	if kid := kidOf(t, r.issue()); kid != info.KID {
		t.Errorf("signed with %s after the delay", kid)
	}
	r.accepted("signed before the rotation", old)

	late := 15*time.Minute - time.Second
	r.clock.add(late - 211*time.Second) // the first token is about to end
	r.accepted("about to end", old)
	r.clock.add(10 * time.Minute)
	if err := r.ring.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kids := published(t, r.ring); len(kids) != 1 || kids[0] != info.KID {
		t.Errorf("published at the end: %v", kids)
	}
	header, claims := parts(t, r.issue())
	r.refused("by the old key after its end", sign(ourKey(), with(header, m{"kid": oldKID}), claims))
}

// JW-17: the last token that an old key signed lives to its own end.
func TestLastTokenOfAnOldKeyLivesToItsEnd(t *testing.T) {
	r := newRig(t)
	must(r.ring.Rotate(t.Context(), nil))(t)
	r.clock.add(2*time.Minute - time.Second)
	last := r.issue()
	if kidOf(t, last) != thumbprint(&ourKey().PublicKey) {
		t.Fatal("the new key signed before its time")
	}
	r.clock.add(15*time.Minute - time.Second)
	if err := r.ring.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.accepted("in its last second", last)
	r.clock.add(time.Second)
	r.refused("ended", last)
}

// JW-03: with two keys active a token without kid, or with another, is refused whoever signed it.
func TestKidChoosesAmongTwoActiveKeys(t *testing.T) {
	r := newRig(t)
	info := must(r.ring.Rotate(t.Context(), nil))(t)
	header, claims := r.good()
	r.refused("no kid", sign(ourKey(), with(header, m{"kid": removed{}}), claims))
	r.refused("kid of the other key", sign(ourKey(), with(header, m{"kid": info.KID}), claims))
}

// FAULTS 18 R9: a rotation whose audit line cannot be written does not happen.
func TestRotationThatCannotBeAuditedDoesNotHappen(t *testing.T) {
	r := newRig(t)
	before := published(t, r.ring)
	if _, err := r.ring.Rotate(t.Context(), func(*store.Tx,
		KeyInfo) error {
		return errors.New("disk full")
	}); err == nil {
		t.Fatal("no error")
	}
	if err := r.ring.Reload(t.Context()); err != nil || !slices.Equal(before, published(t, r.ring)) ||
		states(r.ring, r.clock.now()) != "imported signing" {
		t.Errorf("%v %s", err, states(r.ring, r.clock.now()))
	}
}

// FAULTS 15: nodes that start at once share one ring.
func TestNodesThatStartAtOnceMakeOneRing(t *testing.T) {
	r := &rig{t: t, clock: newClock(), store: openStore(t), box: newBox(t)}
	rings := make([]*Ring, 4)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			var err error
			if rings[i], err = r.open(RingConfig{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, ring := range rings {
		if ring == nil || !slices.Equal(published(t, ring), published(t, rings[0])) || len(ring.List(r.clock.now())) != 1 {
			t.Fatal("rings differ")
		}
	}
	if bits := rings[0].current.Load().keys[0].public.N.BitLen(); bits != 2048 {
		t.Errorf("JW-07: %d bits by default", bits)
	}
}

// The ring rotates by itself when its key is old enough: once, though every node sees it, and it says so.
func TestOldKeyIsRotatedOnceByManyNodes(t *testing.T) {
	r := &rig{t: t, clock: newClock(), store: openStore(t), box: newBox(t)}
	var mu sync.Mutex
	told := 0
	cfg := RingConfig{Rotate: 90 * 24 * time.Hour, OnRotate: func(context.Context, *store.Tx, KeyInfo) error {
		mu.Lock()
		defer mu.Unlock()
		told++
		return nil
	}}
	var nodes []*Ring
	for range 3 {
		nodes = append(nodes, must(r.open(cfg))(t))
	}
	r.clock.add(90*24*time.Hour - time.Second)
	if err := nodes[0].Reload(t.Context()); err != nil || told != 0 {
		t.Fatal("too early:", err, told)
	}
	r.clock.add(time.Second)
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() {
			if err := n.Reload(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, n := range nodes {
		if got := states(n, r.clock.now()); got != "generated signing, generated next" {
			t.Error(got)
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// FAULTS 24: with another encryption key the ring refuses to open and changes nothing; a ring in memory stays as it is.
func TestKeyThatCannotBeDecryptedRefusesStart(t *testing.T) {
	r := newRig(t)
	right := r.box
	r.box = newBox(t)
	for _, cfg := range []RingConfig{{}, {Import: pkcs1PEM(attackerKey())}} {
		_, err := r.open(cfg)
		if !errors.Is(err, secret.ErrSealed) || !strings.Contains(err.Error(), "encryption_key") {
			t.Errorf("%v", err)
		}
	}
	if rows := must(r.store.Keys(t.Context()))(t); len(rows) != 1 {
		t.Errorf("%d keys after a refused start", len(rows))
	}
	r.box = right
	must(r.open(RingConfig{}))(t)

	rows := must(r.store.Keys(t.Context()))(t)
	strange := rows[0]
	strange.KID = "moved"
	if err := r.store.InsertKey(t.Context(), strange); err != nil { // a sealed key under another name does not open
		t.Fatal(err)
	}
	if err := r.ring.Reload(t.Context()); err == nil {
		t.Error("a key that was moved to another row is taken")
	}
	r.accepted("the ring in memory", r.issue())
}

// R10: nothing of a private key is readable in the database.
func TestPrivateKeyIsSealedInTheDatabase(t *testing.T) {
	r := newRig(t)
	row := must(r.store.Keys(t.Context()))(t)[0]
	plain := must(r.box.Open(row.Sealed, keyAAD(row.KID)))(t)
	if key, err := parsePrivate(plain); err != nil || !key.Equal(ourKey()) {
		t.Fatal("accept control:", err)
	}
	if strings.Contains(string(row.Sealed), string(ourKey().D.Bytes()[:16])) ||
		strings.Contains(string(row.Sealed), string(ourKey().Primes[0].Bytes()[:16])) {
		t.Error("the sealed form shows the key")
	}
}

// A changed import becomes the signing key after it was published, and the old one still verifies. An import that was
// rotated away does not come back with the next start, but does when it is configured anew.
func TestImportedKeyTakesOver(t *testing.T) {
	r := newRig(t) // imports ourKey into an empty ring: it signs at once
	old := r.issue()
	steps := []struct {
		key  *rsa.PrivateKey
		do   string
		want string
	}{
		{ourKey(), "start", "imported signing"},
		{attackerKey(), "start", "imported verifying, imported signing"},
		{attackerKey(), "start", "imported verifying, imported signing"},
		{attackerKey(), "rotate", "imported verifying, imported verifying, generated signing"},
		{attackerKey(), "start", "imported verifying, imported verifying, generated signing"},
		{ourKey(), "start", "imported signing, imported verifying, generated verifying"},
		{nil, "start", "imported signing, imported verifying, generated verifying"},
	}
	for i, s := range steps {
		cfg := RingConfig{}
		if s.key != nil {
			cfg.Import = pkcs8PEM(t, s.key)
		}
		r.ring = must(r.open(cfg))(t)
		if s.do == "rotate" {
			must(r.ring.Rotate(t.Context(), nil))(t)
		}
		if signer := r.ring.current.Load().signer(r.clock.now()); signer == nil {
			t.Fatalf("step %d: no signer", i)
		}
		r.clock.add(2 * time.Minute)
		if err := r.ring.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := states(r.ring, r.clock.now()); got != s.want {
			t.Errorf("step %d: %s, want %s", i, got, s.want)
		}
		v := must(NewVerifier(VerifierConfig{Ring: r.ring, Issuers: []string{ourIssuer}, Audience: []string{"truxe"},
			Now: r.clock.now}))(t)
		if _, err := v.Verify(t.Context(), old); err != nil && i < 6 {
			t.Errorf("step %d: the first token: %v", i, err)
		}
	}
}

// A generated key whose last token has long ended is deleted with the next rotation.
func TestUnneededKeyIsDeleted(t *testing.T) {
	r := &rig{t: t, clock: newClock(), store: openStore(t), box: newBox(t)}
	ring := must(r.open(RingConfig{}))(t)
	for range 3 {
		must(ring.Rotate(t.Context(), nil))(t)
		r.clock.add(time.Hour)
	}
	if rows := must(r.store.Keys(t.Context()))(t); len(rows) != 2 {
		t.Errorf("%d rows", len(rows))
	}
	if err := ring.Reload(t.Context()); err != nil || states(ring, r.clock.now()) != "generated signing" {
		t.Error(err, states(ring, r.clock.now()))
	}
}

// JW-07: other key sizes are larger, never smaller.
func TestKeySizes(t *testing.T) {
	r := &rig{t: t, clock: newClock(), store: openStore(t), box: newBox(t)}
	for _, bits := range []int{1024, 2047, 8192, -1} {
		if _, err := r.open(RingConfig{Bits: bits}); err == nil {
			t.Errorf("%d bits are taken", bits)
		}
	}
	ring := must(r.open(RingConfig{Bits: 3072}))(t)
	if bits := ring.current.Load().keys[0].public.N.BitLen(); bits != 3072 {
		t.Errorf("%d bits", bits)
	}
	raw, err := json.Marshal(ring.List(r.clock.now()))
	if err != nil || !strings.Contains(string(raw), `"state":"signing"`) {
		t.Error(string(raw), err)
	}
}

// JW-16: another set of keys is another generation; the same set, read again, is the same.
func TestGenerationFollowsTheKeys(t *testing.T) {
	r := newRig(t)
	g := r.verifier.Generation()
	if err := r.ring.Reload(t.Context()); err != nil || r.verifier.Generation() != g {
		t.Error("reading the same keys changed the generation:", err)
	}
	must(r.ring.Rotate(t.Context(), nil))(t)
	if r.verifier.Generation() == g {
		t.Error("a rotation did not change the generation")
	}
	other := must(NewVerifier(VerifierConfig{Ring: r.ring, Issuers: []string{ourIssuer}, Audience: []string{"other"}}))(t)
	if other.Generation() == r.verifier.Generation() {
		t.Error("two settings, one generation")
	}
}
