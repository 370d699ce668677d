package storetest

import (
	"fmt"
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
	if fmt.Sprint(counts) != fmt.Sprint(map[string]int{"staff": 2, "admin": 1, "Staff": 1, "staff2": 1, `a"staff`: 1, "%": 1}) {
		t.Errorf("%v", counts)
	}
	for role, want := range map[string]string{"staff": "ada cy", "admin": "cy", "Staff": "bob", `a"staff`: "bob", "%": "bob", "_": "", "taff": "", "": "", "nul\x00": "", "' OR 1=1 --": ""} {
		if got, err := b.NamesWithRole(b.ctx, role, 10); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v %v", role, got, err)
		}
	}
	if got, err := b.NamesWithRole(b.ctx, "staff", 1); err != nil || len(got) != 1 || got[0] != "ada" {
		t.Errorf("the first: %v %v", got, err)
	}
	b.must(b.CreateUser(b.ctx, store.NewUser{User: identity.User{ID: identity.NewID(), Username: "kim", Roles: []string{"staff"}, Created: now}, UsernameKey: "kim"}))
	if counts, err := b.CountRoles(b.ctx); err != nil || counts["staff"] != 3 {
		t.Errorf("%v %v", counts, err)
	}
}
