package token

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
)

type refreshRig struct {
	*rig
	refresher *Refresher
	first     string
	family    store.Family
}

// newRefreshRig has a person, a session and a family.
func newRefreshRig(t testing.TB) *refreshRig {
	t.Helper()
	r := &refreshRig{rig: &rig{t: t, clock: newClock(), store: openStore(t)}}
	r.refresher = NewRefresher(RefreshConfig{Life: 30 * 24 * time.Hour, Audience: []string{"truxe"}, Now: r.clock.now})
	now := r.clock.now()
	user := store.NewUser{User: identity.User{ID: identity.NewID(), Username: "ann", Created: now}, UsernameKey: "ann"}
	s := store.Session{ID: identity.NewID(), SecretHash: secret.Hash("x"), UserID: user.ID, Kind: "api",
		Host: "app.example.com", Lifetime: store.Lifetime{Created: now, LastSeen: now, Idle: 30 * 24 * time.Hour,
			Expires: now.Add(30 * 24 * time.Hour)}, Proof: identity.Proof{AuthTime: now}}
	err := r.store.Tx(t.Context(), func(tx *store.Tx) error {
		if err := tx.CreateUser(t.Context(), user); err != nil {
			return err
		}
		if _, err := tx.CreateSession(t.Context(), s, 0); err != nil {
			return err
		}
		var err error
		r.first, r.family, err = r.refresher.Start(t.Context(), tx, s, "spa")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// use does what the API does: consume, and on reuse end the family, in one transaction.
func (r *refreshRig) use(raw string) (Result, error) {
	var res Result
	err := r.store.Tx(context.Background(), func(tx *store.Tx) error {
		var err error
		if res, err = r.refresher.UseInTx(context.Background(), tx, raw); err != nil || !res.Reused {
			return err
		}
		_, err = tx.RevokeFamily(context.Background(), res.Family.ID, "refresh_reuse", r.clock.now())
		return err
	})
	return res, err
}

// RT-01: a refresh token works once; its second use ends the family, the thief's and the owner's successors alike.
func TestReplayedRefreshTokenRevokesFamily(t *testing.T) {
	r := newRefreshRig(t)
	one := must(r.use(r.first))(t)
	if !one.Won || one.NewToken == "" || one.NewToken == r.first || one.Family.ID != r.family.ID {
		t.Fatalf("%+v", one)
	}
	two := must(r.use(one.NewToken))(t)
	if !two.Won {
		t.Fatalf("the successor: %+v", two)
	}
	replay := must(r.use(r.first))(t)
	if replay.Won || !replay.Reused || replay.NewToken != "" || replay.Family.ID != r.family.ID ||
		replay.Family.SessionID != r.family.SessionID {
		t.Errorf("replay: %+v", replay)
	}
	if after := must(r.use(two.NewToken))(t); after.Won || after.Reused || !after.Known || after.NewToken != "" {
		t.Errorf("the newest token after the replay: %+v", after)
	}
}

// RT-02: of 50 racing uses one wins. The 49 others are reuse and end the family, as RFC 9700 4.14.2 has it: it is
// unknown which of them was the thief.
func TestFiftyRacingRefreshesHaveOneWinner(t *testing.T) {
	r := newRefreshRig(t)
	results := make([]Result, 50)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			err := storetest.InTurn(func() (err error) {
				results[i], err = r.use(r.first)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	won, reused := 0, 0
	next := ""
	for _, res := range results {
		if res.Won {
			won++
			next = res.NewToken
		}
		if res.Reused {
			reused++
		}
	}
	if won != 1 || reused != 49 {
		t.Errorf("%d won, %d reused", won, reused)
	}
	if after := must(r.use(next))(t); after.Won {
		t.Error("what the winner got outlived the reuse")
	}
}

// RT-04: consuming a token and writing its successor is one transaction: cut at any point, the old one works still or
// the new one does, never both.
func TestCutRefreshLeavesOneSuccessor(t *testing.T) {
	r := newRefreshRig(t)
	var lost Result
	cut := errors.New("killed here")
	err := r.store.Tx(t.Context(), func(tx *store.Tx) error {
		var err error
		if lost, err = r.refresher.UseInTx(t.Context(), tx, r.first); err != nil {
			return err
		}
		return cut
	})
	if !errors.Is(err, cut) || !lost.Won {
		t.Fatal(err, lost)
	}
	if res := must(r.use(lost.NewToken))(t); res.Known {
		t.Error("a successor of a cut transaction is known")
	}
	if res := must(r.use(r.first))(t); !res.Won {
		t.Errorf("the client cannot try again: %+v", res)
	}
}

// RT-05: a family ends absolutely, however often it was refreshed, and stays bound to session, client and audience.
func TestFamilyEndsAbsolutely(t *testing.T) {
	r := newRefreshRig(t)
	raw := r.first
	for range 29 {
		r.clock.add(24 * time.Hour)
		res := must(r.use(raw))(t)
		if !res.Won || res.Family.ClientID != "spa" || res.Family.SessionID != r.family.SessionID ||
			len(res.Family.Audience) != 1 || res.Family.Audience[0] != "truxe" ||
			!res.Family.Expires.Equal(r.family.Expires) {
			t.Fatalf("%+v", res)
		}
		raw = res.NewToken
	}
	r.clock.add(24 * time.Hour)
	if res := must(r.use(raw))(t); res.Won || res.Reused {
		t.Errorf("after 30 days: %+v", res)
	}
}

// RT-07: the checksum is looked at before any table, and the table has hashes only.
func TestRefreshTokenIsCheckedThenHashed(t *testing.T) {
	r := newRefreshRig(t)
	if _, ok := RefreshHash(r.first); !ok || !strings.HasPrefix(r.first, "trx_rt_") {
		t.Fatal("accept control")
	}
	last := byte('A')
	if r.first[len(r.first)-1] == 'A' {
		last = 'Q'
	}
	for _, raw := range []string{"", "trx_rt_", r.first + "x", r.first[:len(r.first)-1],
		r.first[:len(r.first)-1] + string(last), strings.ToUpper(r.first),
		"trx_pat_" + r.first[7:], " " + r.first, strings.Replace(r.first, r.first[10:11], "!", 1),
		strings.Repeat("x", 1<<20)} {
		if _, ok := RefreshHash(raw); ok {
			t.Errorf("%.80q has a hash", raw)
		}
		// A nil transaction: a table that was asked would be a panic.
		if res, err := r.refresher.UseInTx(t.Context(), nil, raw); err != nil || res.Known || res.NewToken != "" {
			t.Errorf("%.80q: %+v %v", raw, res, err)
		}
	}
	if res := must(r.use(secret.NewToken(secret.PrefixRefresh)))(t); res.Known || res.Won {
		t.Errorf("an invented token: %+v", res)
	}
	hash, _ := RefreshHash(r.first)
	if family, err := r.store.FamilyByTokenHash(t.Context(), hash); err != nil || family.ID != r.family.ID {
		t.Error(err)
	}
	if strings.Contains(string(hash[:]), r.first[7:20]) {
		t.Error("the hash shows the token")
	}
}
