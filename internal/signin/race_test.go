package signin

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/change/changetest"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
)

// unlimited lets every racer through, so that only the factor itself decides.
var unlimited = ratelimit.Limits{Person: ratelimit.Rate{Events: 100_000, Window: time.Minute},
	Address: ratelimit.Rate{Events: 100_000, Window: time.Minute},
	Total:   ratelimit.Rate{Events: 100_000, Window: time.Minute}}

// rounds of a race: few in a quick run, TRUXE_RACE_ROUNDS=1000 in `make race-factors`.
func rounds(t *testing.T, quick int) int {
	t.Helper()
	text := os.Getenv("TRUXE_RACE_ROUNDS")
	if text == "" {
		return quick
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// racers are the 50 that race in a round: they hold 20 half sign-ins of one person, of which each takes 5 codes.
const racers, halves = 50, 20

// raceOnce begins half sign-ins whose password was right and lets all racers complete them at once, each on one of the
// nodes.
func raceOnce(t *testing.T, b *browser, nodes []*node, round int, method string, code func(i int) string) int {
	t.Helper()
	now := b.clock.Now()
	for i := range halves {
		must(t, b.st.PutPending(context.Background(),
			store.PendingSignIn{Key: BrowserHalf("race " + strconv.Itoa(round) + " " + strconv.Itoa(i)), UserID: b.user.ID,
				Kind: session.Browser, Host: host, AMR: []string{"pwd"}, Created: now, Expires: now.Add(HalfLife)}))
	}
	return race(racers, func(i int) bool {
		out, err := nodes[i%len(nodes)].HalfSignIns.Complete(context.Background(),
			SecondStep{Key: BrowserHalf("race " + strconv.Itoa(round) + " " + strconv.Itoa(i%halves)),
				Method: method, Code: code(i), Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), By: change.By{Host: host}})
		switch identity.CodeOf(err) {
		case identity.CodeInvalidCode, identity.CodeLoginRequired, identity.CodeStateUnavailable:
		default:
			if err != nil {
				t.Errorf("a loser: %v", err)
			}
		}
		return err == nil && out.Secret != ""
	})
}

// raced runs a test with the nodes of a race and a user who is enrolled there.
func raced(t *testing.T, test func(t *testing.T, b *browser, nodes []*node)) {
	t.Run("sqlite", func(t *testing.T) {
		n := newNode(t, storetest.Fresh(t, "sqlite"), setting{limits: unlimited})
		b := n.browser(n.make("ada"))
		b.signIn()
		b.enrol()
		test(t, b, []*node{n})
	})
	t.Run("postgres, two nodes", func(t *testing.T) {
		first, second := twoNodes(t, unlimited)
		b := first.browser(first.make("ada"))
		b.signIn()
		b.enrol()
		test(t, b, []*node{first, second})
	})
}

// twoNodes share a real PostgreSQL and a real Redis.
func twoNodes(t *testing.T, limits ratelimit.Limits) (*node, *node) {
	t.Helper()
	server, cfg, clock := redistest.Start(t), storetest.Fresh(t, "postgres"), changetest.NewClock()
	open := func() *node {
		options, err := cluster.ParseURL(server.URL())
		must(t, err)
		cl, err := cluster.Open(*options, slog.New(slog.DiscardHandler))
		must(t, err)
		t.Cleanup(func() { _ = cl.Close() })
		return newNode(t, cfg, setting{Options: changetest.Options{Cluster: cl, Clock: clock}, limits: limits})
	}
	return open(), open()
}

// MF-02, MF-10, R5: of 50 uses of one code at once, in many half sign-ins and on two nodes, one wins; so with recovery
// codes, and so with right answers to one half sign-in.
func TestOneOfFiftyRacingUsesWins(t *testing.T) {
	raced(t, func(t *testing.T, b *browser, nodes []*node) {
		for round := range rounds(t, 5) {
			code := b.next()
			if won := raceOnce(t, b, nodes, round, identity.MethodTOTP, func(int) string { return code }); won != 1 {
				t.Fatalf("round %d: %d sign-ins with one code", round, won)
			}
			if round > 0 && round%10 == 0 {
				fresh(t, b)
			}
			if won := raceOnce(t, b, nodes, round, identity.MethodRecovery,
				func(int) string { return b.codes[round%10] }); won != 1 {
				t.Fatalf("round %d: %d sign-ins with one recovery code", round, won)
			}
		}
		fresh(t, b)
		oneHalfOneSession(t, b, nodes)
	})
}

// fresh creates a new set of codes.
func fresh(t *testing.T, b *browser) {
	t.Helper()
	b.codes = credential.NewRecoveryCodes()
	var hashes [][32]byte
	for _, text := range b.codes {
		code, _ := credential.ParseRecoveryCode(text)
		hashes = append(hashes, credential.RecoveryHash(b.rig.Box.Derive("recovery codes", 32), b.user.ID.String(), code))
	}
	must(t, b.st.ReplaceRecoveryCodes(context.Background(), b.user.ID, hashes, b.clock.Now()))
}

// oneHalfOneSession: of racing right answers, each with a code of its own, one makes a half sign-in a whole one.
func oneHalfOneSession(t *testing.T, b *browser, nodes []*node) {
	t.Helper()
	now := b.clock.Now()
	key := BrowserHalf("one")
	must(t, b.st.PutPending(context.Background(),
		store.PendingSignIn{Key: key, UserID: b.user.ID, Kind: session.Browser, Host: host, AMR: []string{"pwd"},
			Created: now, Expires: now.Add(HalfLife)}))
	won := race(5, func(i int) bool {
		_, err := nodes[i%len(nodes)].HalfSignIns.Complete(context.Background(),
			SecondStep{Key: key, Method: identity.MethodRecovery, Code: b.codes[i], By: change.By{Host: host}})
		return err == nil
	})
	f, err := b.Factors.Of(context.Background(), b.user.ID, host)
	must(t, err)
	if won != 1 || f.RecoveryLeft != 9 { // the losers keep their codes
		t.Errorf("%d sessions, %d codes left", won, f.RecoveryLeft)
	}
}

// MF-02, MF-03: a code that worked on one node is refused on the other, and by both after their clocks stepped back.
func TestCodeIsRefusedOnTheOtherNodeAndAfterAStepBack(t *testing.T) {
	first, second := twoNodes(t, unlimited)
	b := first.browser(first.make("ada"))
	b.signIn()
	b.enrol()
	b = b.stranger()
	must2(b.password(password))(t)
	code := b.next()
	must2(b.totp(code))(t)
	for step, back := range []time.Duration{0, 0, -30 * time.Second, -30 * time.Second, 2 * time.Minute} {
		b.clock.Move(back)
		c := b.stranger().on([]*node{second, first}[step%2])
		must2(c.password(password))(t)
		_, err := c.totp(code)
		wants(t, err, identity.CodeInvalidCode)
		if used := detail(err) == "That code was already used. Wait for the next one."; used != (step < 3) {
			t.Errorf("step %d: %s", step, detail(err))
		}
		if step == 2 || step == 3 { // no step before the last accepted one either
			_, err := c.totp(c.code(-1))
			wants(t, err, identity.CodeInvalidCode)
		}
	}
}

func must2[T any](_ T, err error) func(testing.TB) {
	return func(t testing.TB) { t.Helper(); must(t, err) }
}
