package feed

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/revocation"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/test/timebound"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("database is down")

// ledger is SQL in a test: what the nodes of a test share durably.
type ledger struct {
	mu    sync.Mutex
	rows  []store.Revocation
	down  atomic.Bool
	reads atomic.Int64
	rowsN atomic.Int64 // rows handed out
}

func (l *ledger) AddRevocation(_ context.Context, r store.Revocation) error {
	if l.down.Load() {
		return errDown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, r)
	return nil
}

func (l *ledger) Revocations(_ context.Context, now, since time.Time, fn func(store.Revocation) error) error {
	l.reads.Add(1)
	if l.down.Load() {
		return errDown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rows {
		if r.Expires.After(now) && !r.At.Before(since) {
			l.rowsN.Add(1)
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// bearer is a principal who signed in with a token.
func bearer(jti, session, user string, issued int64) *identity.Principal {
	p := &identity.Principal{UserID: user, SessionID: session, TokenID: jti,
		Revocable:  identity.Revocable{IssuedAt: issued},
		Credential: identity.CredentialBearer}
	p.UserKey = identity.RevocationKey(identity.RevokeUser, user)
	if jti != "" {
		p.TokenKey = identity.RevocationKey(identity.RevokeJTI, jti)
	}
	if session != "" {
		p.SessionKey = identity.RevocationKey(identity.RevokeSession, session)
	}
	return p
}

// recorder is an Observer that writes down what it is called for.
type recorder struct{ calls chan string }

func newRecorder() *recorder { return &recorder{make(chan string, 1000)} }

func (r *recorder) SessionRevoked(id identity.ID) { r.calls <- "session " + id.String() }
func (r *recorder) UserChanged(id identity.ID)    { r.calls <- "user " + id.String() }
func (r *recorder) KeysChanged()                  { r.calls <- "keys" }
func (r *recorder) ChangesMissed()                { r.calls <- "missed" }

// wants waits for the next call.
func (r *recorder) wants(t *testing.T, call string, d time.Duration) {
	t.Helper()
	select {
	case got := <-r.calls:
		if got != call {
			t.Fatalf("the observer was called for %q, not %q", got, call)
		}
	case <-time.After(timebound.Limit(d)):
		t.Fatalf("the observer was not called for %q within %v", call, d)
	}
}

// wantsNothing fails if there was another call.
func (r *recorder) wantsNothing(t *testing.T) {
	t.Helper()
	select {
	case got := <-r.calls:
		t.Errorf("the observer was called for %q", got)
	default:
	}
}

// running is a node of a test with its own feed.
type running struct {
	*Feed
	*revocation.Node
	feed     cluster.Cluster
	observed *recorder
	stop     func()
}

// setup is what a test changes before a node starts.
type setup struct {
	node revocation.Config
	feed Config
}

func build(source Source, feed cluster.Cluster, change func(*setup)) *running {
	observed := newRecorder()
	s := setup{feed: Config{Source: source, Cluster: feed, Observer: observed, Logger: quiet()}}
	if change != nil {
		change(&s)
	}
	s.feed.Node = revocation.New(s.node)
	return &running{Feed: New(s.feed), Node: s.feed.Node, feed: feed, observed: observed}
}

func start(t *testing.T, source Source, feed cluster.Cluster, change func(*setup)) *running {
	t.Helper()
	r := build(source, feed, change)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Feed.Run(ctx) }()
	r.stop = sync.OnceFunc(func() { cancel(); <-done; feed.Close() })
	t.Cleanup(r.stop)
	return r
}

func onRedis(t *testing.T, address string) cluster.Cluster {
	t.Helper()
	u := url.URL{Scheme: "redis", Host: address, Path: "/0"}
	o, err := cluster.ParseURL(u.String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Open(*o, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func within(t *testing.T, d time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > timebound.Limit(d) {
			t.Fatalf("%s: not within %v", what, d)
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	timebound.Check(t, what, took, d)
	return took
}

func revoke(kind identity.RevocationKind, name string) store.Revocation {
	now := time.Now()
	return store.Revocation{Kind: kind, Name: name, At: now, Expires: now.Add(time.Hour), Reason: "test"}
}

// revoked records and publishes, as a caller does around its commit.
func (r *running) revoked(t *testing.T, l *ledger, revs ...store.Revocation) error {
	t.Helper()
	for _, rev := range revs {
		if err := l.AddRevocation(context.Background(), rev); err != nil {
			t.Fatal(err)
		}
	}
	return r.Publish(context.Background(), News{Revoked: revs})
}

// JW-13: before SQL was read the copy knows nothing, and nothing it says counts.
func TestNodeThatHasNotReadTheDatabaseIsNotReady(t *testing.T) {
	l := &ledger{}
	l.down.Store(true)
	l.rows = append(l.rows, revoke(identity.RevokeJTI, "old"))
	n := start(t, l, cluster.NewLocal(cluster.LocalOptions{}), nil)
	within(t, time.Second, "tries to read", func() bool { return l.reads.Load() > 0 })
	if n.Ready() || n.State().Ready {
		t.Fatal("ready without having read")
	}
	l.down.Store(false)
	within(t, 2*time.Second, "becomes ready by itself", n.Ready)
	if n.Refused(bearer("old", "", "u", 0)) == "" {
		t.Error("JW-12: a revocation did not survive the restart")
	}
}

// R4: SQL alone is not enough: what was revoked while it was read comes with the feed, which has to be in step first.
func TestNodeIsNotReadyBetweenReadingAndTheFeedsFirstProof(t *testing.T) {
	n := build(&ledger{}, cluster.NewLocal(cluster.LocalOptions{}), nil)
	feed := handler{n.Feed}
	if _, err := feed.Resync(context.Background(), cluster.ReasonStart); err != nil || n.Ready() ||
		n.State() != (revocation.State{}) {
		t.Errorf("ready before the feed is in step: %v %+v", err, n.State())
	}
	feed.Alive()
	if !n.Ready() {
		t.Error("control: ready with it")
	}
}

// JW-12, JW-14: on one node a revocation counts when Publish returns.
func TestRevocationCountsAtOnceOnTheNodeThatMadeIt(t *testing.T) {
	l := &ledger{}
	n := start(t, l, cluster.NewLocal(cluster.LocalOptions{}), nil)
	within(t, time.Second, "ready", n.Ready)
	now := time.Now().UnixMilli()
	for kind, p := range map[identity.RevocationKind]*identity.Principal{
		identity.RevokeJTI:     bearer("x", "", "u", now),
		identity.RevokeSession: bearer("", "x", "u", now),
		identity.RevokeUser:    bearer("", "", "x", now-1000),
	} {
		if n.Refused(p) != "" {
			t.Fatal("refused before it was revoked")
		}
		if err := n.revoked(t, l, revoke(kind, "x")); err != nil {
			t.Fatal(err)
		}
		if n.Refused(p) == "" {
			t.Errorf("%v passes after it was revoked", kind)
		}
	}
	if n.Refused(bearer("", "", "x", time.Now().Add(time.Second).UnixMilli())) != "" {
		t.Error("JW-14: a sign-in after the sign-out everywhere must work")
	}
}

// R4: a process that was stopped for longer than its bound is not ready in the moment it goes on.
func TestStoppedProcessIsNotReadyWhenItGoesOn(t *testing.T) {
	l := &ledger{}
	var stopped atomic.Int64
	began := time.Now()
	n := start(t, l, cluster.NewLocal(cluster.LocalOptions{}), func(c *setup) {
		c.node.Elapsed = func() time.Duration { return time.Since(began) + time.Duration(stopped.Load()) }
	})
	within(t, time.Second, "ready", n.Ready)
	stopped.Store(int64(20 * time.Second)) // as if SIGSTOP had held it
	if n.Ready() {
		t.Error("ready without a sign of life")
	}
	within(t, 2*time.Second, "ready after the next one", n.Ready)
}

// R4: a node that died between commit and publication is made good by the others' comparison with SQL, which is
// partial: it does not read the whole table again.
func TestRevocationThatWasNeverPublishedIsFoundInTheDatabase(t *testing.T) {
	l := &ledger{}
	old := revoke(identity.RevokeJTI, "old")
	old.At = old.At.Add(-time.Hour)
	l.rows = append(l.rows, old)
	n := start(t, l, cluster.NewLocal(cluster.LocalOptions{}), nil)
	within(t, time.Second, "ready", n.Ready)
	l.rowsN.Store(0)
	if err := l.AddRevocation(context.Background(), revoke(identity.RevokeJTI, "orphan")); err != nil {
		t.Fatal(err)
	}
	n.reconcile(context.Background())
	if n.Refused(bearer("orphan", "", "u", 0)) == "" || n.Refused(bearer("old", "", "u", 0)) == "" {
		t.Error("not known")
	}
	if l.rowsN.Load() != 1 {
		t.Errorf("read %d rows", l.rowsN.Load())
	}
	again, err := handler{n.Feed}.Resync(context.Background(), cluster.ReasonFlushed)
	if err != nil || len(again) != 2 {
		t.Errorf("an emptied Redis gets %d of 2 revocations back: %v", len(again), err)
	}
}

// FAULTS 16: a wall clock that jumps ten years and comes back neither makes the node forget nor changes whether it is
// ready.
func TestClockJumpDoesNotUnrevoke(t *testing.T) {
	const years = 10 * 365 * 24 * time.Hour
	var jump, waited atomic.Int64
	began := time.Now()
	l := &ledger{}
	n := start(t, l, cluster.NewLocal(cluster.LocalOptions{}), func(c *setup) {
		c.node.Now = func() time.Time { return time.Now().Round(0).Add(time.Duration(jump.Load() + waited.Load())) }
		c.node.Elapsed = func() time.Duration { return time.Since(began) + time.Duration(waited.Load()) }
		c.feed.Now = c.node.Now
	})
	within(t, time.Second, "ready", n.Ready)
	if err := n.revoked(t, l, revoke(identity.RevokeJTI, "x")); err != nil {
		t.Fatal(err)
	}
	p := bearer("x", "", "u", 0)
	for _, d := range []time.Duration{years, -years, 0} {
		jump.Store(int64(d))
		n.Sweep()
		if n.Refused(p) == "" || !n.Ready() {
			t.Errorf("clock moved by %v: refused %q, ready %v", d, n.Refused(p), n.Ready())
		}
	}
	jump.Store(int64(years)) // SQL is compared while the clock is wrong, and again when it is right
	n.reconcile(context.Background())
	jump.Store(0)
	if err := l.AddRevocation(context.Background(), revoke(identity.RevokeJTI, "later")); err != nil {
		t.Fatal(err)
	}
	n.reconcile(context.Background())
	if n.Refused(bearer("later", "", "u", 0)) == "" {
		t.Error("a clock that was ahead keeps the node from reading SQL")
	}
	waited.Store(int64(2 * time.Hour))
	n.Sweep()
	if n.Refused(p) != "" {
		t.Error("control: after two hours by every clock the entry is swept")
	}
}
