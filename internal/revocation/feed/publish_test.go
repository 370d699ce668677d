package feed

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// everyNews is one of each kind that an observer is called for, by that call.
func everyNews() map[string]News {
	session, user, changed := identity.NewID(), identity.NewID(), identity.NewID()
	return map[string]News{
		"session " + session.String(): {Revoked: []store.Revocation{revoke(identity.RevokeSession, session.String())}},
		"user " + user.String():       {Revoked: []store.Revocation{revoke(identity.RevokeUser, user.String())}},
		"user " + changed.String():    {Users: []identity.ID{changed}},
		"keys":                        {Keys: true},
	}
}

// R4, FAULTS 8: every kind of news that could not be published is not acknowledged, and arrives within a second of the
// end of the fault.
func TestNewsThatCouldNotBePublishedArrivesAfterTheFault(t *testing.T) {
	server := redistest.Start(t)
	l := &ledger{}
	full := &refusing{Cluster: onRedis(t, server.Addr())}
	a := start(t, l, full, nil)
	b := start(t, l, onRedis(t, server.Addr()), nil)
	within(t, 3*time.Second, "both ready", func() bool { return a.Ready() && b.Ready() })
	b.observed.wants(t, "missed", time.Second)
	for call, news := range everyNews() {
		full.full.Store(true)
		for range 2 { // the same once more is one event
			err := a.Publish(context.Background(), news)
			if identity.CodeOf(err) != identity.CodeStateUnavailable || !errors.Is(err, cluster.ErrUnavailable) {
				t.Fatalf("%s: acknowledged: %v", call, err)
			}
		}
		time.Sleep(2 * retryEvery)
		b.observed.wantsNothing(t)
		full.full.Store(false)
		b.observed.wants(t, call, time.Second)
		time.Sleep(2 * retryEvery)
		b.observed.wantsNothing(t)
	}
	// A token's revocation is known to the copy alone.
	full.full.Store(true)
	if err := a.revoked(t, l, revoke(identity.RevokeJTI, "token")); err == nil {
		t.Fatal("acknowledged")
	}
	full.full.Store(false)
	within(t, time.Second, "refused on b", func() bool { return b.Refused(bearer("token", "", "u", 0)) != "" })
}

// A change is applied once on the node that made it, before Publish returns, and once on another node in the same
// process or beyond Redis. The keys are not loaded again where they were changed.
func TestNewsIsAppliedOnceOnEachNode(t *testing.T) {
	server := redistest.Start(t)
	local := cluster.NewLocal(cluster.LocalOptions{})
	for name, feeds := range map[string][2]cluster.Cluster{
		"one process": {local, local},
		"redis":       {onRedis(t, server.Addr()), onRedis(t, server.Addr())},
	} {
		t.Run(name, func(t *testing.T) {
			l := &ledger{}
			a, b := start(t, l, feeds[0], nil), start(t, l, feeds[1], nil)
			within(t, 3*time.Second, "both ready", func() bool { return a.Ready() && b.Ready() })
			a.observed.wants(t, "missed", time.Second)
			b.observed.wants(t, "missed", time.Second)
			for call, news := range everyNews() {
				if err := a.Publish(context.Background(), news); err != nil {
					t.Fatal(err)
				}
				if !news.Keys {
					if len(a.observed.calls) == 0 {
						t.Errorf("%s: not applied when Publish returned", call)
					}
					a.observed.wants(t, call, time.Second)
				}
				b.observed.wants(t, call, time.Second)
			}
			last := identity.NewID() // whatever came before it has arrived by then
			if err := b.Publish(context.Background(), News{Users: []identity.ID{last}}); err != nil {
				t.Fatal(err)
			}
			for _, n := range []*running{a, b} {
				n.observed.wants(t, "user "+last.String(), time.Second)
				n.observed.wantsNothing(t)
			}
		})
	}
}

// R4: what waits to be published is bounded: revocations by their number, since SQL has them all, and the rest by the
// number of users. The latest of each name is kept.
func TestUnsentNewsIsBounded(t *testing.T) {
	var u unsent
	for i := range maxUnsent + 10 {
		u.add([]cluster.Event{{Kind: cluster.KindSession, Name: strconv.Itoa(i), At: 5, Expires: 9}})
	}
	for range 3 {
		u.add([]cluster.Event{{Kind: cluster.KindChanged, Name: "u", At: 5}, {Kind: cluster.KindKeys, At: 5}})
	}
	u.add([]cluster.Event{{Kind: cluster.KindSession, Name: "0", At: 7, Expires: 8}})
	got := map[subject]cluster.Event{}
	for _, e := range u.take() {
		got[subject{e.Kind, e.Name}] = e
	}
	if len(got) != maxUnsent+2 {
		t.Errorf("%d events wait", len(got))
	}
	for about, want := range map[subject]cluster.Event{
		{cluster.KindChanged, "u"}: {Kind: cluster.KindChanged, Name: "u", At: 5},
		{cluster.KindKeys, ""}:     {Kind: cluster.KindKeys, At: 5},
		{cluster.KindSession, "0"}: {Kind: cluster.KindSession, Name: "0", At: 7, Expires: 9},
	} {
		if got[about] != want {
			t.Errorf("%v: %+v", about, got[about])
		}
	}
	if len(u.take()) != 0 {
		t.Error("they are still there")
	}
}

// An event that no try can publish is an error and does not keep the rest from the other nodes.
func TestInvalidNewsIsNotTriedAgain(t *testing.T) {
	n := start(t, &ledger{}, cluster.NewLocal(cluster.LocalOptions{}), nil)
	within(t, time.Second, "ready", n.Ready)
	bad := revoke(identity.RevokeJTI, string(make([]byte, cluster.MaxName+1)))
	if err := n.Publish(context.Background(), News{Revoked: []store.Revocation{bad}}); !errors.Is(err,
		cluster.ErrInvalid) {
		t.Errorf("acknowledged: %v", err)
	}
	if waiting := n.unsent.take(); len(waiting) != 0 {
		t.Errorf("%d events wait", len(waiting))
	}
}
