package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

func users(t *testing.T, b *bench) {
	ada := b.user("ada")
	got, err := b.UserByLogin(b.ctx, "ada@example.com")
	b.must(err)
	want := store.UserRecord{User: ada.User, PasswordHash: ada.PasswordHash, PasswordChanged: now}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("stored user (-want +got):\n%s", diff)
	}
	_, err = b.UserByLogin(b.ctx, "ADA")
	b.wants(err, store.ErrNotFound) // keys are folded by the caller, once
	_, err = b.UserByID(b.ctx, identity.NewID())
	b.wants(err, store.ErrNotFound)

	t.Run("a user name cannot be another person's address", func(t *testing.T) {
		b := &bench{t, b.Store, b.ctx}
		for field, u := range map[string]store.NewUser{
			"username": {User: identity.User{ID: identity.NewID(), Username: "ada@example.com", Created: now},
				UsernameKey: "ada@example.com"},
			"email": {User: identity.User{ID: identity.NewID(), Username: "eve", Email: "ada", Created: now},
				UsernameKey: "eve", EmailKey: "ada"},
		} {
			err := b.CreateUser(b.ctx, u)
			var conflict *store.ConflictError
			if !errors.Is(err, store.ErrConflict) || !errors.As(err, &conflict) || conflict.Field != field {
				t.Errorf("%s: %v", field, err)
			}
			_, err = b.UserByID(b.ctx, u.ID)
			b.wants(err, store.ErrNotFound)
		}
		own := store.NewUser{User: identity.User{ID: identity.NewID(), Username: "bo@example.com", Email: "bo@example.com",
			Created: now}, UsernameKey: "bo@example.com", EmailKey: "bo@example.com"}
		b.must(b.CreateUser(b.ctx, own)) // one's own address is a fine user name
	})
	t.Run("racing sign-ups for one name leave one user", func(t *testing.T) {
		b := &bench{t, b.Store, b.ctx}
		won := b.race(func(i int) (bool, error) {
			err := b.CreateUser(b.ctx, store.NewUser{User: identity.User{ID: identity.NewID(), Username: "one", Created: now},
				UsernameKey: "one"})
			if errors.Is(err, store.ErrConflict) {
				return false, nil
			}
			return err == nil, err
		})
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
	changeUsers(t, b, ada)
	listUsers(t, b)
	firstUser(t, &bench{t, b.Store, b.ctx})
}

func changeUsers(t *testing.T, b *bench, ada store.NewUser) {
	cy := b.user("cy")
	str := func(s string) *string { return &s }
	roles, yes := []string{"admin", `we"ird\%_`}, true
	b.must(b.UpdateUser(b.ctx, cy.ID, store.UserChange{Email: str("new@example.com"), EmailKey: str("new@example.com"),
		Name: str("New"), Roles: &roles, Disabled: &yes, Managed: str("users_file")}))
	got, err := b.UserByLogin(b.ctx, "new@example.com")
	b.must(err)
	if got.ID != cy.ID || got.Name != "New" || !got.Disabled || got.Managed != "users_file" ||
		!cmp.Equal(got.Roles, roles) {
		t.Errorf("%+v", got)
	}
	_, err = b.UserByLogin(b.ctx, "cy@example.com")
	b.wants(err, store.ErrNotFound)
	b.wants(b.UpdateUser(b.ctx, cy.ID, store.UserChange{Email: str("ada"), EmailKey: str("ada")}), store.ErrConflict)
	// one's own name as address, and away again
	b.must(b.UpdateUser(b.ctx, cy.ID, store.UserChange{Email: str("cy"), EmailKey: str("cy")}))
	b.must(b.UpdateUser(b.ctx, cy.ID, store.UserChange{Email: str(""), EmailKey: str("")}))
	if _, err := b.UserByLogin(b.ctx, "cy"); err != nil {
		t.Errorf("the user name was deleted with the address: %v", err)
	}
	b.wants(b.UpdateUser(b.ctx, identity.NewID(), store.UserChange{Name: str("x")}), store.ErrNotFound)

	no := false
	b.must(b.UpdateUser(b.ctx, cy.ID, store.UserChange{Disabled: &no}))
	for role, want := range map[string]int{"admin": 1, "Admin": 0, "adm": 0, `we"ird\%_`: 1, "we%": 0, "staff": 0} {
		if n, err := b.CountOthersWithRole(b.ctx, role, ada.ID); err != nil || n != want {
			t.Errorf("role %s: %d %v", role, n, err)
		}
	}
	if n, _ := b.CountOthersWithRole(b.ctx, "admin", cy.ID); n != 0 {
		t.Errorf("%d others have the role", n)
	}
	b.must(b.SetNotBefore(b.ctx, cy.ID, now))
	b.must(b.SetNotBefore(b.ctx, cy.ID, now.Add(-time.Hour)))
	b.must(b.TouchUsers(b.ctx, map[identity.ID]time.Time{cy.ID: now, identity.NewID(): now}))
	b.must(b.TouchUsers(b.ctx, map[identity.ID]time.Time{cy.ID: now.Add(-time.Minute)}))
	if got, _ = b.UserByID(b.ctx, cy.ID); !same(got.NotBefore, now) || !same(got.LastSeen, now) {
		t.Errorf("times moved back: %v %v", got.NotBefore, got.LastSeen)
	}
	s := b.session(cy.ID, nil)
	f := b.family(s)
	b.must(b.AddRefresh(b.ctx, f.ID, hash("r"), now))
	b.must(b.DeleteUser(b.ctx, cy.ID))
	_, err = b.UserByLogin(b.ctx, "cy")
	b.wants(err, store.ErrNotFound)
	_, err = b.SessionByID(b.ctx, s.ID)
	b.wants(err, store.ErrNotFound)
	_, err = b.FamilyByTokenHash(b.ctx, hash("r"))
	b.wants(err, store.ErrNotFound)
	b.wants(b.DeleteUser(b.ctx, cy.ID), store.ErrNotFound)
	_, err = b.CreateSession(b.ctx, s, 0)
	b.wants(err, store.ErrNotFound) // a deleted person cannot be given a session by a sign-in that was under way
}

func listUsers(t *testing.T, b *bench) {
	for i := range 7 {
		u := b.user(fmt.Sprintf("page%d", i))
		if i == 3 {
			name := "100% Ünïcode_\\"
			b.must(b.UpdateUser(b.ctx, u.ID, store.UserChange{Name: &name}))
		}
	}
	var names []string
	for cursor, pages := "", 0; ; pages++ {
		got, next, err := b.ListUsers(b.ctx, store.UserFilter{Search: "PAGE", Cursor: cursor, Limit: 3})
		b.must(err)
		for _, u := range got {
			names = append(names, u.Username)
		}
		if next == "" {
			if pages != 2 {
				t.Errorf("%d pages", pages+1)
			}
			break
		}
		cursor = next
	}
	if strings.Join(names, " ") != "page0 page1 page2 page3 page4 page5 page6" {
		t.Errorf("%v", names)
	}
	for search, want := range map[string]int{"100%": 1, "%": 1, "_\\": 1, "ünïc": 1, "ÜNÏ": 1, "p_ge": 0,
		"page3@EXAMPLE": 1, "' OR 1=1 --": 0, "nobody": 0} {
		if got, _, err := b.ListUsers(b.ctx, store.UserFilter{Search: search}); err != nil || len(got) != want {
			t.Errorf("search %q: %d users, %v", search, len(got), err)
		}
	}
	_, _, err := b.ListUsers(b.ctx, store.UserFilter{Cursor: "\x00 no cursor"})
	b.wants(err, store.ErrInvalid)
}

func firstUser(t *testing.T, b *bench) {
	list, _, err := b.ListUsers(b.ctx, store.UserFilter{Limit: 1000})
	b.must(err)
	u := store.NewUser{User: identity.User{ID: identity.NewID(), Username: "late", Created: now}, UsernameKey: "late"}
	b.wants(b.CreateFirstUser(b.ctx, u), store.ErrConflict)
	for _, u := range list {
		b.must(b.DeleteUser(b.ctx, u.ID))
	}
	won := b.race(func(i int) (bool, error) {
		name := fmt.Sprintf("first%d", i)
		err := b.CreateFirstUser(b.ctx, store.NewUser{User: identity.User{ID: identity.NewID(), Username: name, Created: now},
			UsernameKey: name})
		if errors.Is(err, store.ErrConflict) {
			return false, nil
		}
		return err == nil, err
	})
	if n, err := b.CountUsers(b.ctx); won != 1 || n != 1 || err != nil {
		t.Errorf("%d setup links worked, %d users: %v", won, n, err)
	}
}

// hostile text is stored as it is or refused with ErrInvalid, alike on both databases.
func hostile(t *testing.T, b *bench) {
	for i, name := range []string{`'; DROP TABLE users; --`, `" OR ""="`, `$1`, `?1`, `\'`, "tab\tnew\nline\x1b[31m",
		"😀 zero\u200bwidth \u202e", strings.Repeat("x", 5000)} {
		key := fmt.Sprintf("%d%s", i, name)
		u := store.NewUser{User: identity.User{ID: identity.NewID(), Username: name, Name: name, Roles: []string{name},
			Created: now}, UsernameKey: key}
		b.must(b.CreateUser(b.ctx, u))
		got, err := b.UserByLogin(b.ctx, key)
		b.must(err)
		if got.Username != name || got.Name != name || len(got.Roles) != 1 || got.Roles[0] != name {
			t.Errorf("%q came back as %q %q", name, got.Username, got.Roles)
		}
	}
	for _, bad := range []string{"nul\x00", "\xff\xfe", "\xed\xa0\x80"} {
		err := b.CreateUser(b.ctx, store.NewUser{User: identity.User{ID: identity.NewID(), Username: bad, Created: now},
			UsernameKey: bad})
		b.wants(err, store.ErrInvalid)
		_, err = b.UserByLogin(b.ctx, bad)
		b.wants(err, store.ErrNotFound)
		b.wants(b.AddRevocation(b.ctx, store.Revocation{Kind: identity.RevokeJTI, Name: bad, At: now, Expires: now}),
			store.ErrInvalid)
		if rows, err := b.ListAudit(b.ctx, store.AuditFilter{Reference: bad}); len(rows) != 0 || err != nil {
			t.Errorf("%q: %v %v", bad, rows, err)
		}
		u := b.user("u" + identity.NewID().String())
		// a strange browser may still sign in
		s := b.session(u.ID, func(s *store.Session) { s.UserAgent = bad + strings.Repeat("é", 600) })
		got, err := b.SessionByID(b.ctx, s.ID)
		b.must(err)
		if !strings.Contains(got.UserAgent, "\uFFFD") || len([]rune(got.UserAgent)) != 512 {
			t.Errorf("%d runes of %q", len([]rune(got.UserAgent)), got.UserAgent)
		}
	}
}

func passwords(t *testing.T, b *bench) {
	u := b.user("ada")
	if ok, err := b.RehashPassword(b.ctx, u.ID, "another hash", "new"); ok || err != nil {
		t.Errorf("re-hashed over a changed password: %v", err)
	}
	won := b.race(func(i int) (bool, error) {
		return b.RehashPassword(b.ctx, u.ID, u.PasswordHash, fmt.Sprint("hash ", i))
	})
	if won != 1 {
		t.Errorf("%d sign-ins re-hashed", won)
	}
	b.race(func(int) (bool, error) { _, err := b.AddFailure(b.ctx, u.ID); return true, err })
	if n, err := b.AddFailure(b.ctx, u.ID); n != racers+1 || err != nil {
		t.Errorf("%d failures: %v", n, err)
	}
	b.must(b.SetPassword(b.ctx, u.ID, "fresh", now.Add(time.Hour), now.Add(time.Hour)))
	got, err := b.UserByID(b.ctx, u.ID)
	b.must(err)
	if got.PasswordHash != "fresh" || got.Failures != 0 || !same(got.PasswordChanged, now.Add(time.Hour)) ||
		!same(got.NotBefore, now.Add(time.Hour)) {
		t.Errorf("%+v", got)
	}
	_, _ = b.AddFailure(b.ctx, u.ID)
	b.must(b.ClearFailures(b.ctx, u.ID))
	if got, _ := b.UserByID(b.ctx, u.ID); got.Failures != 0 {
		t.Errorf("%d failures", got.Failures)
	}
	_, err = b.AddFailure(b.ctx, identity.ID{})
	b.wants(err, store.ErrNotFound)
}
