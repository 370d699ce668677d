package revocation

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// staffUsers adds users with the role staff.
func staffUsers(t *testing.T, st *store.Store, many int) []identity.ID {
	t.Helper()
	ids := make([]identity.ID, many)
	for first := 0; first < many; first += 200 {
		err := st.Tx(t.Context(), func(tx *store.Tx) error {
			for i := first; i < min(first+200, many); i++ {
				ids[i] = identity.NewID()
				name := "user" + strconv.Itoa(i)
				if err := tx.CreateUser(t.Context(), store.NewUser{User: identity.User{ID: ids[i], Username: name,
					Roles: []string{"staff"}, Created: time.Now()}, UsernameKey: name}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// watched is a database, open streams and a watch over them that runs.
type watched struct {
	*RoleWatch
	store   *store.Store
	streams *Streams
}

func watch(t *testing.T, log *slog.Logger) *watched {
	t.Helper()
	st, streams := storetest.Open(t, storetest.Fresh(t, "sqlite")), New(Config{}).Streams()
	w := &watched{NewRoleWatch(streams, st.RolesOf, log), st, streams}
	var running sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return w
}

// openAs opens a stream of a user with the role staff.
func (w *watched) openAs(t *testing.T, id identity.ID) <-chan struct{} {
	s := w.streams.open(t.Context(), &identity.Principal{UserID: id.String(), Roles: []string{"staff"}})
	t.Cleanup(s.End)
	return s.Done()
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// AZ-08 R4: a role that is lost while all streams are looked at, as after a gap in the feed, ends its stream within a
// second: it does not wait until 30,000 rows are read. No stream of the others ends.
func TestLostRoleDoesNotWaitForAResync(t *testing.T) {
	w := watch(t, slog.New(slog.DiscardHandler))
	const many = 30_000
	ids := staffUsers(t, w.store, many)
	streams := make([]<-chan struct{}, many)
	for i, id := range ids {
		streams[i] = w.openAs(t, id)
	}
	w.AllChanged()
	time.Sleep(50 * time.Millisecond) // the reading is under way
	loser := ids[many/2]
	none := []string{}
	if err := w.store.UpdateUser(t.Context(), loser, store.UserChange{Roles: &none}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.UserChanged(loser)
	select {
	case <-streams[many/2]:
	case <-time.After(timebound.Limit(time.Second)):
		t.Fatal("the stream of the user who lost the role is still open")
	}
	timebound.Check(t, "ending the stream of a lost role", time.Since(began), time.Second)
	for i, s := range streams {
		if i != many/2 && closed(s) {
			t.Fatalf("the stream of user %d, who lost no role, has ended", i)
		}
	}
}

// lines is a log that tests wait for.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// AZ-08: a database that does not answer ends no stream of users who lost no role. It says that roles could not be
// read.
func TestRolesThatCannotBeReadEndNoStream(t *testing.T) {
	log := &lines{}
	w := watch(t, slog.New(slog.NewTextHandler(log, nil)))
	id := staffUsers(t, w.store, 1)[0]
	stream := w.openAs(t, id)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.UserChanged(id)
	deadline := time.Now().Add(timebound.Limit(time.Second))
	for log.count("could not read the roles") == 0 {
		if time.Now().After(deadline) {
			t.Fatal("no log line")
		}
		time.Sleep(time.Millisecond)
	}
	select {
	case <-stream:
		t.Error("the stream has ended although no role was lost")
	case <-time.After(3 * streamsAgain):
	}
	if n := log.count("could not read the roles"); n != 1 {
		t.Errorf("%d log lines of one trouble", n)
	}
}

// AZ-08 R4: users who could not be read are read again, with more time, and then those who lost a role lose their
// streams. The newest change is in the first chunk whatever waits before it, and the chunk is filled with what waits.
func TestRolesAreReadNewestFirstUntilTheDatabaseAnswers(t *testing.T) {
	streams := New(Config{}).Streams()
	open := func(id identity.ID) <-chan struct{} {
		s := streams.open(t.Context(), &identity.Principal{UserID: id.String(), Roles: []string{"staff"}})
		t.Cleanup(s.End)
		return s.Done()
	}
	var trouble error
	var asked []identity.ID
	var given time.Duration
	lost := idSet{}
	r := newRoleReads(streams, func(ctx context.Context, ids []identity.ID) (map[identity.ID][]string, error) {
		deadline, _ := ctx.Deadline()
		asked, given = ids, time.Until(deadline)
		roles := map[identity.ID][]string{}
		for _, id := range ids {
			if _, gone := lost[id]; !gone {
				roles[id] = []string{"other", "staff"}
			}
		}
		return roles, trouble
	}, slog.New(slog.DiscardHandler))
	var waiting []<-chan struct{}
	for range 3 * rolesChunk {
		waiting = append(waiting, open(identity.NewID()))
	}
	open(identity.ID{}) // no user of ours
	r.add(&userSet{all: true})
	late := identity.NewID()
	end := open(late)
	lost[late] = struct{}{}
	changed := userSet{}
	changed.add(late.String())
	r.add(&changed)

	trouble = context.DeadlineExceeded
	for range 4 {
		if !r.due() {
			t.Fatal("nothing is read")
		}
		r.step(t.Context())
		if r.due() {
			t.Fatal("a failed read is not followed by a pause")
		}
		r.waiting = false
	}
	if given <= rolesTime || given > rolesLongest {
		t.Errorf("after failures a read has %v", given)
	}
	if closed(end) || slices.ContainsFunc(waiting, closed) {
		t.Fatal("a stream has ended though no roles were read")
	}
	trouble = nil
	for steps := 1; r.due(); steps++ {
		r.step(t.Context())
		if steps == 1 && (asked[0] != late || len(asked) != rolesChunk || !closed(end)) {
			t.Errorf("of %d users in the first chunk the newest is not the first, or has not lost its stream", len(asked))
		}
		if steps > 4 {
			t.Fatal("it does not come to an end")
		}
	}
	if slices.ContainsFunc(waiting, closed) {
		t.Error("a stream has ended although no role was lost")
	}
}

// R1 AZ-08: while the database stays away, it is unknown whether a user still has the roles, so the streams end.
// Those of users who have not changed, or have no roles, go on.
func TestRolesThatStayUnreadableEndTheStreams(t *testing.T) {
	streams := New(Config{}).Streams()
	open := func(id identity.ID, roles ...string) <-chan struct{} {
		s := streams.open(t.Context(), &identity.Principal{UserID: id.String(), Roles: roles})
		t.Cleanup(s.End)
		return s.Done()
	}
	changed, same, plain := identity.NewID(), identity.NewID(), identity.NewID()
	changedStream, sameStream, plainStream := open(changed, "staff"), open(same, "staff"), open(plain)
	r := newRoleReads(streams, func(context.Context, []identity.ID) (map[identity.ID][]string, error) {
		return nil, errors.New("away")
	}, slog.New(slog.DiscardHandler))
	var set userSet
	set.add(changed.String())
	set.add(plain.String())
	r.add(&set)
	r.step(t.Context())
	if closed(changedStream) {
		t.Fatal("control: one failure ends the stream")
	}
	r.failing = r.failing.Add(-rolesGiveUp)
	r.step(t.Context())
	if !closed(changedStream) || closed(sameStream) || closed(plainStream) {
		t.Errorf("changed %v, same %v, without roles %v", closed(changedStream), closed(sameStream), closed(plainStream))
	}
	if r.due() || len(r.recent)+len(r.rest) > 0 {
		t.Error("users whose streams have ended are read again")
	}
}
