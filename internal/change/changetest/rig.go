// Package changetest opens a change.Changes with real parts around it, for the tests of the rooms that make changes.
package changetest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/revocation"
	"github.com/truxeio/caddy-truxe/internal/revocation/feed"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
)

// Lifetimes of the rig.
const (
	Access  = 15 * time.Minute
	Refresh = 30 * 24 * time.Hour
)

// Password is the usual password of the users of a test.
const Password = "nineteen pelicans knit scarves"

// PasswordHash returns a cheap hash of Password.
var PasswordHash = sync.OnceValue(func() string {
	h, err := credential.NewHasher(credential.Config{Cost: 10})
	if err != nil {
		panic(err)
	}
	defer h.Close()
	text, err := h.Hash(context.Background(), Password)
	if err != nil {
		panic(err)
	}
	return text
})

// key is the encryption key that the nodes of a test share.
var key = secret.Key{1, 2, 3, 250, 5, 61, 7, 8, 9, 110, 11, 12, 13, 14, 15, 16, 17, 18, 99, 20, 21, 22, 23, 24, 25, 26,
	27, 128, 29, 30, 31, 32}

// Metrics counts nothing.
type Metrics struct{}

// Login implements signin.Metrics.
func (Metrics) Login(string, string) {}

// Revocation implements change.Metrics.
func (Metrics) Revocation(string) {}

// RateLimited implements signin.Metrics.
func (Metrics) RateLimited(string) {}

// Rig is one node's database, cluster, sessions, revocations and audit log, and the Changes over them.
type Rig struct {
	T        *testing.T
	Clock    *Clock
	Cluster  cluster.Cluster
	Box      *secret.Box
	Hasher   *credential.Hasher
	Sessions *session.Table[struct{}]
	Changes  *change.Changes
}

// Options are what nodes of one test share.
type Options struct {
	Cluster cluster.Cluster // nil: in process
	Clock   *Clock          // nil: a new one
}

// New opens a rig, which is closed with the test.
func New(t *testing.T, cfg store.Config, o Options) *Rig {
	t.Helper()
	if o.Clock == nil {
		o.Clock = NewClock()
	}
	now, log := o.Clock.Now, slog.New(slog.DiscardHandler)
	st := storetest.Open(t, cfg)
	if o.Cluster == nil {
		local := cluster.NewLocal(cluster.LocalOptions{Now: now})
		t.Cleanup(func() { _ = local.Close() })
		o.Cluster = local
	}
	box, err := secret.NewBox(key)
	Must(t, err)
	hasher, err := credential.NewHasher(credential.Config{Cost: 10, Workers: 2, Queue: 200})
	Must(t, err)
	t.Cleanup(hasher.Close)
	events, err := audit.New(st, audit.Config{Logger: log, Now: now})
	Must(t, err)
	t.Cleanup(func() { _ = events.Close(context.Background()) })
	table := session.New[struct{}](session.Config{Source: st, Logger: log, Now: now})
	revoked := revocation.New(revocation.Config{Now: now})
	news := feed.New(feed.Config{Source: st, Cluster: o.Cluster, Node: revoked, Observer: observer{table}, Logger: log,
		Now: now})
	start(t, news, revoked)
	return &Rig{T: t, Clock: o.Clock, Cluster: o.Cluster, Box: box, Hasher: hasher, Sessions: table,
		Changes: &change.Changes{
			Store: st, Audit: events, Feed: news, Metrics: Metrics{}, Logger: log, Now: now,
			AccessLifetime: Access, RefreshLifetime: Refresh, LongestSession: Refresh,
		}}
}

// observer keeps a table of sessions in step with the feed.
type observer struct{ table *session.Table[struct{}] }

func (o observer) SessionRevoked(id identity.ID) { o.table.Drop(id) }
func (o observer) UserChanged(id identity.ID)    { o.table.DropUser(id) }
func (o observer) KeysChanged()                  {}
func (o observer) ChangesMissed()                { o.table.DropAll() }

// start runs the feed until the test ends.
func start(t *testing.T, news *feed.Feed, revoked *revocation.Node) {
	t.Helper()
	run, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = news.Run(run) }()
	t.Cleanup(func() { stop(); <-ended })
	for i := 0; !revoked.Ready(); i++ {
		if i == 500 {
			t.Fatal("the revocation feed does not start")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Audited counts the events of a kind.
func (r *Rig) Audited(event string) int {
	r.T.Helper()
	rows, err := r.Changes.Store.ListAudit(context.Background(), store.AuditFilter{Event: event, Limit: 1000})
	Must(r.T, err)
	return len(rows)
}
