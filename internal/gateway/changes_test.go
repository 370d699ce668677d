package gateway

import (
	"runtime"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/revocation"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ED-31 AZ-08: when 10,000 users change at once, as an import or a directory does it, the open streams of those who
// lost a role end, no other user's do, and it costs neither a goroutine nor a walk over all streams for each of them.
func TestTenThousandChangesEndTheirStreamsAtABoundedCost(t *testing.T) {
	e := start(t).engine
	open := func(id identity.ID) <-chan struct{} {
		s := &revocation.Stream{Context: t.Context()}
		e.revoked.Join(s, &identity.Principal{UserID: id.String(), Roles: []string{"staff"}})
		t.Cleanup(s.End)
		return s.Done()
	}
	unchanged := store.NewUser{User: identity.User{ID: identity.NewID(), Username: "unchanged", Roles: []string{"staff"},
		Created: time.Now()}, UsernameKey: "unchanged"}
	if err := e.store.CreateUser(t.Context(), unchanged); err != nil {
		t.Fatal(err)
	}
	bystander := open(unchanged.User.ID)
	const users = 10_000
	var ids []identity.ID
	var ends []<-chan struct{}
	for i := range users {
		ids = append(ids, identity.NewID()) // of no row: every role is lost
		if i%4 == 0 {
			ends = append(ends, open(ids[i]))
		}
	}
	before, most := runtime.NumGoroutine(), 0
	for i, id := range ids {
		snapshots{e}.UserChanged(id)
		if i%100 == 0 {
			most = max(most, runtime.NumGoroutine()-before)
		}
	}
	deadline := time.After(30 * time.Second)
	for i, end := range ends {
		select {
		case <-end:
		case <-deadline:
			t.Fatalf("stream %d is still open", i)
		}
	}
	if most > users/10 { // those of the database come and go with each row that is read
		t.Errorf("%d goroutines for %d changes", most, users)
	}
	select {
	case <-bystander:
		t.Error("the stream of a user who has not changed has ended")
	default:
	}
}
