package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// AZ-09: role names are counted and listed as they are written: case counts, a part of a name is another name, and no
// character of a name is a pattern.
func roles(t *testing.T, b *bench) {
	give := func(name string, disabled bool, roles ...string) {
		u := b.user(name)
		b.must(b.UpdateUser(b.ctx, u.ID, store.UserChange{Roles: &roles, Disabled: &disabled}))
	}
	give("cy", false, "staff", "admin")
	give("ada", true, "staff")
	give("bob", false, "Staff", "staff2", `a"staff`, "%")
	give("eve", false)
	counts, err := b.CountRoles(b.ctx)
	b.must(err)
	if fmt.Sprint(counts) != fmt.Sprint(map[string]int{"staff": 2, "admin": 1, "Staff": 1, "staff2": 1, `a"staff`: 1,
		"%": 1}) {
		t.Errorf("%v", counts)
	}
	for role, want := range map[string]string{"staff": "ada cy", "admin": "cy", "Staff": "bob", `a"staff`: "bob",
		"%": "bob", "_": "", "taff": "", "": "", "nul\x00": "", "' OR 1=1 --": ""} {
		if got, err := b.NamesWithRole(b.ctx, role, 10); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v %v", role, got, err)
		}
	}
	if got, err := b.NamesWithRole(b.ctx, "staff", 1); err != nil || len(got) != 1 || got[0] != "ada" {
		t.Errorf("the first: %v %v", got, err)
	}
	b.must(b.CreateUser(b.ctx, store.NewUser{User: identity.User{ID: identity.NewID(), Username: "kim",
		Roles: []string{"staff"}, Created: now}, UsernameKey: "kim"}))
	if counts, err := b.CountRoles(b.ctx); err != nil || counts["staff"] != 3 {
		t.Errorf("%v %v", counts, err)
	}
}

// AZ-08: the roles of many users are read at once; users without a row are missing, those without roles have none.
func rolesOf(t *testing.T, b *bench) {
	var ids []identity.ID
	for i := range 1203 { // more than two statements take
		u := store.NewUser{User: identity.User{ID: identity.NewID(), Username: fmt.Sprint("u", i), Created: now},
			UsernameKey: fmt.Sprint("u", i)}
		if i%2 == 0 {
			u.Roles = []string{"staff", fmt.Sprint("team-", i)}
		}
		b.must(b.CreateUser(b.ctx, u))
		ids = append(ids, u.ID)
	}
	gone := identity.NewID()
	got, err := b.RolesOf(b.ctx, append([]identity.ID{gone, ids[0], ids[0]}, ids...))
	b.must(err)
	if len(got) != len(ids) {
		t.Fatalf("%d users of %d", len(got), len(ids))
	}
	for i, id := range ids {
		want := []string(nil)
		if i%2 == 0 {
			want = []string{"staff", fmt.Sprint("team-", i)}
		}
		if roles, there := got[id]; !there || !slices.Equal(roles, want) {
			t.Errorf("user %d: %v, %v", i, roles, there)
		}
	}
	if got, err := b.RolesOf(b.ctx, nil); err != nil || len(got) != 0 {
		t.Errorf("of no user: %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, err := b.RolesOf(ctx, ids); err == nil {
		t.Error("half an answer is no answer: an ended context gave no error")
	}
}
