package session

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
)

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Config{Driver: "sqlite", DSN: filepath.Join(t.TempDir(),
		"truxe.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func addUser(t *testing.T, s *store.Store, name string, roles ...string) identity.User {
	t.Helper()
	u := identity.User{ID: identity.NewID(), Username: name, Roles: roles, Created: time.Now()}
	if err := s.CreateUser(context.Background(), store.NewUser{User: u, UsernameKey: name}); err != nil {
		t.Fatal(err)
	}
	return u
}

// SE-15: of fifty sign-ins at once on two nodes ten sessions stay, and the cookies of the others are unknown.
func TestSessionLimitHoldsUnderARace(t *testing.T) {
	sql := openStore(t)
	a, b := New[identity.User](Config{Source: sql, Limit: 10}), New[identity.User](Config{Source: sql, Limit: 10})
	u := addUser(t, sql, "alice")
	ctx := context.Background()
	var mu sync.Mutex
	var cookies []string
	ended := map[identity.ID]bool{}
	var work sync.WaitGroup
	for i := range 50 {
		table := []*userTable{a, b}[i%2]
		work.Go(func() {
			var value string
			var out []identity.ID
			err := storetest.InTurn(func() error {
				return sql.Tx(ctx, func(tx *store.Tx) error {
					var err error
					value, _, out, err = table.Start(ctx, tx, NewSession{User: u, Kind: Browser, Host: host,
						Proof: identity.Proof{AuthTime: time.Now(), AMR: []string{"pwd"}, ACR: "1"}})
					return err
				})
			})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			cookies = append(cookies, value)
			for _, id := range out {
				ended[id] = true
			}
		})
	}
	work.Wait()
	alive := 0
	for _, v := range cookies {
		if found(t, a, v) != nil {
			alive++
		}
	}
	if alive != 10 || len(ended) != 40 {
		t.Errorf("%d sessions of 50 are alive, %d were named as ended", alive, len(ended))
	}
}

// SE-01, SE-02, SE-10, SE-13, AZ-08 on a real database: what a table is told and what it reads back are the same.
func TestSessionLifeOnARealDatabase(t *testing.T) {
	sql := openStore(t)
	ctx := context.Background()
	c := &clock{}
	c.wall.Store(time.Now().UnixNano())
	change := func(cfg *Config) { cfg.Now, cfg.Elapsed = c.now, c.elapsed }
	cfg := Config{Source: sql, TouchUsers: sql.TouchUsers}
	change(&cfg)
	table := New[identity.User](cfg)
	u := addUser(t, sql, "alice", "staff")
	var value string
	var s store.Session
	if err := sql.Tx(ctx, func(tx *store.Tx) (err error) {
		value, s, _, err = table.Start(ctx, tx, NewSession{User: u, Kind: Browser, Host: host,
			Proof: identity.Proof{AuthTime: c.now(), AMR: []string{"pwd"}, ACR: "1"}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	live := found(t, table, value)
	if live == nil || !live.Principal.HasRole("staff") || live.Principal.IssuedAt != s.Created.UnixMilli() {
		t.Fatalf("%+v", live)
	}
	c.pass(40 * time.Minute)
	table.Used(live)
	if err := table.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	c.pass(40 * time.Minute)
	table.DropAll()
	if found(t, table, value) == nil {
		t.Fatal("the use was not written")
	}
	if row, err := sql.UserByID(ctx, u.ID); err != nil || row.LastSeen.Before(s.Created.Add(30*time.Minute)) {
		t.Errorf("user last seen %v: %v", row.LastSeen, err)
	}
	var fresh string
	if err := sql.Tx(ctx, func(tx *store.Tx) (err error) {
		fresh, err = table.Rotate(ctx, tx, s, identity.Proof{AuthTime: c.now(), AMR: []string{"pwd"}, ACR: "1"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	table.DropUser(u.ID)
	if found(t, table, value) != nil || found(t, table, fresh) == nil {
		t.Error("rotation")
	}
	if err := sql.Tx(ctx, func(tx *store.Tx) error {
		_, err := tx.EndSession(ctx, s.ID, "test", c.now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	table.Drop(s.ID)
	if found(t, table, fresh) != nil {
		t.Error("ended, and still signed in")
	}
}
