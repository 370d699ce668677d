// Package storetest holds the promises of the store as tests that every database must pass.
package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Run runs the suite. open gives a fresh store for each test; called again within one test it gives a fresh one too.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, *bench)
	}{
		{"Users", users}, {"Roles", roles}, {"RolesOf", rolesOf}, {"Hostile", hostile}, {"Passwords", passwords},
		{"Sessions", sessions}, {"SessionLimit", sessionLimit}, {"Renewals", renewals},
		{"Refresh", refresh}, {"Revocations", revocations}, {"Keys", keys}, {"Devices", devices}, {"OneTimes", oneTimes},
		{"Meta", meta},
		{"Audit", auditRows}, {"TOTP", totp}, {"RecoveryCodes", recoveryCodes},
		{"Passkeys", passkeys}, {"PendingSignIns", pendingSignIns}, {"FactorSettings", factorSettings},
		{"ProfileSettings", profileSettings}, {"Mails", mails}, {"Decisions", decisions}, {"Transactions", transactions},
		{"Purge", purge},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, &bench{T: t, Store: open(t), ctx: context.Background()}) })
	}
}

// bench is one test's store with short ways to fill it.
type bench struct {
	*testing.T
	*store.Store
	ctx context.Context
}

// now is a moment in whole milliseconds, as they are stored.
var now = time.UnixMilli(1_780_000_000_123).UTC()

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) wants(err, target error) {
	b.Helper()
	if !errors.Is(err, target) {
		b.Fatalf("error %v, want %v", err, target)
	}
}

func (b *bench) user(name string) store.NewUser {
	b.Helper()
	u := store.NewUser{User: identity.User{ID: identity.NewID(), Username: name, Email: name + "@example.com",
		Name: "Some " + name, Roles: []string{"staff"}, Created: now},
		UsernameKey: name, EmailKey: name + "@example.com", PasswordHash: "$2b$12$hash"}
	b.must(b.CreateUser(b.ctx, u))
	return u
}

func (b *bench) session(user identity.ID, change func(*store.Session)) store.Session {
	b.Helper()
	s := store.Session{ID: identity.NewID(), SecretHash: hash(identity.NewID().String()), UserID: user, Kind: "browser",
		Host: "app.example.com", Lifetime: store.Lifetime{Created: now, LastSeen: now, Idle: time.Hour,
			Expires: now.Add(24 * time.Hour)},
		Proof: identity.Proof{AuthTime: now, AMR: []string{"pwd"}, ACR: "1"}, Remember: true, IP: "192.0.2.1",
		UserAgent: "Agent/1"}
	if change != nil {
		change(&s)
	}
	_, err := b.CreateSession(b.ctx, s, 0)
	b.must(err)
	return s
}

func (b *bench) family(s store.Session) store.Family {
	b.Helper()
	f := store.Family{ID: identity.NewID(), SessionID: s.ID, UserID: s.UserID, ClientID: "cli",
		Audience: []string{"truxe"}, Scopes: []string{"a", "b"}, Created: now, Expires: now.Add(time.Hour)}
	b.must(b.CreateFamily(b.ctx, f))
	return f
}

func hash(s string) [32]byte { return sha256.Sum256([]byte(s)) }

// racers is how many try at once (R5).
const racers = 50

// race calls do from many goroutines at once, each in its turn, and returns how many returned true.
func (b *bench) race(do func(i int) (bool, error)) int {
	b.Helper()
	var wait sync.WaitGroup
	var mu sync.Mutex
	start := make(chan struct{})
	won := 0
	var errs []error
	for i := range racers {
		wait.Go(func() {
			<-start
			var ok bool
			err := InTurn(func() (err error) {
				ok, err = do(i)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if ok {
				won++
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("racer %d: %w", i, err))
			}
		})
	}
	close(start)
	wait.Wait()
	for _, err := range errs {
		b.Error(err)
	}
	return won
}

func same(a, b time.Time) bool { return a.Equal(b) && a.IsZero() == b.IsZero() }
