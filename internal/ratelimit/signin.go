package ratelimit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Limits of sign-in. A zero Rate means its default.
type Limits struct {
	Person  Rate // per person, and per known device of a person: 5 in 5 min (LK-01)
	Address Rate // per IPv4 address or IPv6 /64: 50 in 5 min (LK-04)
	// Total over the gateway: 1000 in 5 min. It bounds guessing from many addresses. Known devices do not count and
	// are not stopped by it, so reaching it locks no user out of a browser they use (R7).
	Total Rate
}

// Defaults of Limits.
var Defaults = Limits{
	Person:  Rate{5, 5 * time.Minute},
	Address: Rate{50, 5 * time.Minute},
	Total:   Rate{1000, 5 * time.Minute},
}

func (l Limits) fill() (Limits, error) {
	for _, r := range []struct{ set, def *Rate }{
		{&l.Person, &Defaults.Person}, {&l.Address, &Defaults.Address}, {&l.Total, &Defaults.Total},
	} {
		if *r.set == (Rate{}) {
			*r.set = *r.def
		}
		if err := r.set.Check(); err != nil {
			return l, err
		}
	}
	return l, nil
}

// Guard counts the tries of every pathway that checks a secret of a person (LK-03): form, API, Basic password,
// confirmation, and later second factors. The counters are in the cluster, so nodes share them.
type Guard struct {
	cluster cluster.Cluster
	limits  Limits
	key     []byte
}

// New returns a guard. key, at least 16 bytes and the same on all nodes, keys the hashes under which names and
// addresses are counted: none of them can be read in Redis.
func New(c cluster.Cluster, limits Limits, key []byte) (*Guard, error) {
	if len(key) < 16 {
		return nil, errors.New("rate limits need a key of 16 bytes")
	}
	limits, err := limits.fill()
	return &Guard{cluster: c, limits: limits, key: append([]byte(nil), key...)}, err
}

// Attempt is one attempt to prove an identity.
type Attempt struct {
	// Person is the user's id, or the folded login name if no user has it: one value for all spellings (LK-02). "" for
	// a passkey, which cannot be guessed: the failures of others must not stop it (LK-05), and Blame counts its own.
	Person string
	// Address is the client's, from Caddy's trusted_proxies logic. Without one (unix socket) the limit per address does
	// not apply, rather than all such clients sharing one counter and locking each other out.
	Address netip.Addr
	// Device is the hash or id of a record that this person has signed in from this browser before; "" when unknown.
	// A known device has a counter of its own instead of the others, so that no stranger can throttle it: neither by
	// guessing at the person (LK-05), nor from the same address, nor over the gateway.
	Device string
}

// Try is a reserved attempt. End it once with Succeed or Abandon; otherwise it stays counted as a failure.
type Try struct {
	guard  *Guard
	person []cluster.Bucket // the person's or the device's counter, if any
	others []cluster.Bucket // address and total
	limits []Limit
	ended  atomic.Bool
}

// Begin reserves a try before anything is checked. Refused tries cost nothing and are *identity.Error with
// CodeRateLimited and *Limited inside. When attempts cannot be counted, none is allowed: CodeStateUnavailable (FAULTS
// 2).
func (g *Guard) Begin(ctx context.Context, a Attempt) (*Try, error) {
	t := &Try{guard: g}
	var names []string
	var rates []Rate
	if a.Person != "" {
		t.person = append(t.person, g.limits.Person.bucket(g.hash("person", a.Person)))
		names, rates = append(names, NameLogin), append(rates, g.limits.Person)
	}
	if a.Person != "" && a.Device != "" {
		t.person[0].Key = g.hash("device", a.Person+"\x00"+a.Device)
	} else {
		if source := Source(a.Address); source != "" {
			t.others = append(t.others, g.limits.Address.bucket(g.hash("address", source)))
			names, rates = append(names, NameAddress), append(rates, g.limits.Address)
		}
		t.others = append(t.others, g.limits.Total.bucket(g.hash("total", "")))
		names, rates = append(names, NameTotal), append(rates, g.limits.Total)
	}
	out, err := g.cluster.Reserve(ctx, slices.Concat(t.person, t.others))
	if err != nil {
		return nil, identity.Unavailable(fmt.Errorf("count a try: %w", err)).RetryIn(time.Second)
	}
	var hit []Limit
	for i, s := range out.Limits {
		l := limitOf(names[i], rates[i], s)
		t.limits = append(t.limits, l)
		if s.Remaining == 0 {
			hit = append(hit, l)
		}
	}
	if !out.Allowed {
		return nil, refuse(hit)
	}
	return t, nil
}

// Succeed is called after the whole sign-in, second factor included: the failures of this person (or of this known
// device, when it was one) are forgotten (LK-13), and address and gateway get their unit back, so that users behind
// one address do not use each other's tries up (F23).
func (t *Try) Succeed(ctx context.Context) error {
	if t.ended.Swap(true) {
		return nil
	}
	var err error
	for _, b := range t.person {
		err = t.guard.cluster.Clear(ctx, b.Key)
	}
	if len(t.others) > 0 {
		err = errors.Join(err, t.guard.cluster.Refund(ctx, t.others))
	}
	if err != nil {
		return fmt.Errorf("clear counters: %w", err)
	}
	return nil
}

// Fail keeps the try counted. It exists to say so where it is called.
func (t *Try) Fail() { t.ended.Store(true) }

// Blame counts a failure to a person whom no try named before it was checked: that of a wrong passkey (LK-03).
func (g *Guard) Blame(ctx context.Context, person string) error {
	if _, err := g.cluster.Reserve(ctx, []cluster.Bucket{g.limits.Person.bucket(g.hash("person", person))}); err != nil {
		return fmt.Errorf("count a failure: %w", err)
	}
	return nil
}

// Abandon refunds the attempt: nothing was checked, because the gateway was busy or its state unavailable.
func (t *Try) Abandon(ctx context.Context) error {
	if t.ended.Swap(true) {
		return nil
	}
	if err := t.guard.cluster.Refund(ctx, slices.Concat(t.person, t.others)); err != nil {
		return fmt.Errorf("give a try back: %w", err)
	}
	return nil
}

// hash keys names and addresses, so that neither Redis nor its backups hold any.
func (g *Guard) hash(kind, name string) string {
	mac := hmac.New(sha256.New, g.key)
	mac.Write([]byte(kind + "\x00" + name))
	return kind + ":" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}
