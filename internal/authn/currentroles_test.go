package authn

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// register is a database of one person, whose roles change when it is told to.
type register struct {
	mu     sync.Mutex
	user   identity.User
	err    error
	reads  atomic.Int64
	during func() // runs after the row was read and before it is given
}

func (r *register) read(context.Context, identity.ID) (store.UserRecord, error) {
	r.reads.Add(1)
	r.mu.Lock()
	u, err, during := r.user, r.err, r.during
	r.during = nil
	r.mu.Unlock()
	if during != nil {
		during()
	}
	return store.UserRecord{User: u}, err
}

func (r *register) set(roles ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.user.Roles = roles
}

// AZ-08: a change that is announced while the row is being read is not overlooked, as for sessions.
func TestRolesAreReadAgainWhenTheyChangeMeanwhile(t *testing.T) {
	id := identity.NewID()
	r := &register{user: identity.User{ID: id, Roles: []string{"staff"}}}
	s := &CurrentRoles{read: r.read}
	r.during = func() { r.set("auditor"); s.Drop(id) }
	st, err := s.of(context.Background(), id)
	if err != nil || len(st.roles) != 1 || st.roles[0] != "auditor" || st.stale.Load() || r.reads.Load() != 2 {
		t.Fatalf("%+v %v after %d reads", st, err, r.reads.Load())
	}
	if again, err := s.of(context.Background(), id); err != nil || again != st || r.reads.Load() != 2 {
		t.Error("read once more for nothing")
	}
	for name, forget := range map[string]func(){"told": func() { s.Drop(id) }, "may have missed it": s.DropAll} {
		forget()
		fresh, err := s.of(context.Background(), id)
		if err != nil || fresh == st || !st.stale.Load() {
			t.Errorf("%s: %v", name, err)
		}
		st = fresh
	}
}

// R1: a user who is disabled or deleted has no token, and what cannot be read lets no user in.
func TestUserWithoutCurrentRolesIsRefused(t *testing.T) {
	id := identity.NewID()
	r := &register{user: identity.User{ID: id, Roles: []string{"staff"}, Disabled: true}}
	s := &CurrentRoles{read: r.read}
	refused := func(what string, code identity.Code) {
		t.Helper()
		if st, err := s.of(context.Background(), id); st != nil || identity.CodeOf(err) != code {
			t.Errorf("%s: %v %v", what, st, err)
		}
	}
	refused("disabled", identity.CodeInvalidToken)
	r.err = store.ErrNotFound
	refused("deleted", identity.CodeInvalidToken)
	r.err = errors.New("gone away")
	refused("the database is away", identity.CodeStateUnavailable)
	r.err, r.user.Disabled = nil, false
	if _, err := s.of(context.Background(), id); err != nil {
		t.Errorf("nothing wrong is remembered: %v", err)
	}
}

// OP-06: however many users' tokens are in use, a node remembers so many, and those it forgets are read again.
func TestRememberedRolesAreBounded(t *testing.T) {
	s := &CurrentRoles{read: (&register{}).read}
	first, _ := s.of(context.Background(), identity.NewID())
	var all []*userRoles
	for range maxUserRoles + 100 {
		st, err := s.of(context.Background(), identity.NewID())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, st)
	}
	gone := 0
	for _, st := range append(all, first) {
		if st.stale.Load() {
			gone++
		}
	}
	if len(s.byID) > maxUserRoles || gone != 101 {
		t.Errorf("%d remembered, %d told that they are not", len(s.byID), gone)
	}
}

// ED-31: changes of other users, however many while a row is read, do not refuse a token that is new to this node.
func TestRolesAreReadWhileOthersChange(t *testing.T) {
	id := identity.NewID()
	r := &register{user: identity.User{ID: id, Roles: []string{"staff"}}}
	s := &CurrentRoles{read: func(ctx context.Context, of identity.ID) (store.UserRecord, error) {
		for range 100 {
			s2 := identity.NewID()
			others <- s2
		}
		return r.read(ctx, of)
	}}
	go func() {
		for other := range others {
			s.Drop(other)
		}
	}()
	defer close(others)
	st, err := s.of(context.Background(), id)
	if err != nil || st.stale.Load() || r.reads.Load() != 1 {
		t.Fatalf("%+v %v after %d reads", st, err, r.reads.Load())
	}
	// control: its own change while it is read counts
	s.Drop(id)
	r.reads.Store(0)
	r.during = func() { r.set("auditor"); s.Drop(id) }
	if st, err = s.of(context.Background(), id); err != nil || st.roles[0] != "auditor" || r.reads.Load() != 2 {
		t.Fatalf("%+v %v after %d reads", st, err, r.reads.Load())
	}
}

// others is unbuffered: each change is taken before the read goes on.
var others = make(chan identity.ID)
