package gateway

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// staffUsers adds users with the role staff.
func staffUsers(t *testing.T, st *store.Store, many int) []identity.ID {
	t.Helper()
	ids := make([]identity.ID, many)
	for first := 0; first < many; first += 1000 {
		err := st.Tx(t.Context(), func(tx *store.Tx) error {
			for i := first; i < min(first+1000, many); i++ {
				ids[i] = identity.NewID()
				name := "user" + strconv.Itoa(i)
				if err := tx.CreateUser(t.Context(), store.NewUser{User: identity.User{ID: ids[i], Username: name, Roles: []string{"staff"}, Created: time.Now()}, UsernameKey: name}); err != nil {
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

// openAs opens a stream of a user with the role staff.
func openAs(t *testing.T, e *Engine, id identity.ID) <-chan struct{} {
	s := e.revoked.Streams().Open(t.Context(), &identity.Principal{UserID: id.String(), Roles: []string{"staff"}})
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

// AZ-08 R4: a role that is lost while all streams are looked at, as after a gap in the feed, ends its stream within a second:
// it does not wait until 30,000 rows are read. No stream of the others ends.
func TestLostRoleDoesNotWaitForAResync(t *testing.T) {
	e := start(t).engine
	const many = 30_000
	ids := staffUsers(t, e.store, many)
	streams := make([]<-chan struct{}, many)
	for i, id := range ids {
		streams[i] = openAs(t, e, id)
	}
	e.changes.addAll()
	time.Sleep(50 * time.Millisecond) // the reading is under way
	loser := ids[many/2]
	none := []string{}
	if err := e.store.UpdateUser(t.Context(), loser, store.UserChange{Roles: &none}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	e.heard(cluster.Event{Kind: cluster.KindChanged, Name: loser.String()})
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

// AZ-08: a database that does not answer ends no stream of users who lost no role. It says that roles could not be read.
func TestRolesThatCannotBeReadEndNoStream(t *testing.T) {
	e := start(t).engine
	log := &lines{}
	e.log = slog.New(slog.NewTextHandler(log, nil))
	id := staffUsers(t, e.store, 1)[0]
	stream := openAs(t, e, id)
	if err := e.store.Close(); err != nil {
		t.Fatal(err)
	}
	e.heard(cluster.Event{Kind: cluster.KindChanged, Name: id.String()})
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
