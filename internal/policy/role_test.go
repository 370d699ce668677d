package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

func model(t testing.TB, roles ...Role) *RoleModel {
	t.Helper()
	m, err := CompileRoles(roles)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// CONTRACT section 10: "*" on either side; what is below a resource belongs to it; nothing narrower covers anything
// wider.
func TestWhatAPermissionCovers(t *testing.T) {
	for _, c := range []struct {
		held, wanted string
		want         bool
	}{
		{"orders:read", "orders:read", true}, {"orders:read", "orders:write", false}, {"orders:read", "order:read", false},
		{"*", "orders:read", true}, {"*", "*", true}, {"*", "anything", true},
		{"orders:*", "orders:read", true}, {"orders:*", "orders:*", true}, {"orders:*", "orders:archive:read", true},
		{"orders:*", "ordersarchive:read", false}, {"orders:*", "invoices:read", false}, {"orders:*", "*", false},
		{"*:read", "orders:read", true}, {"*:read", "orders:archive:read", true}, {"*:read", "orders:write", false},
		{"*:read", "*", false},
		{"*:*", "orders:read", true}, {"*:read", "orders:*", false}, {"orders:read", "orders:*", false},
		{"orders:read", "orders:archive:read", false}, {"orders:archive:read", "orders:read", false},
		{"truxe:users:write", "truxe:users:write", true}, {"truxe:*", "truxe:users:write", true},
		{"truxe:users:*", "truxe:sessions:write", false},
		{"Orders:read", "orders:read", false}, {"", "orders:read", false}, {"orders:read", "", false},
		{"orders", "orders:read", false},
	} {
		if got := Covers(c.held, c.wanted); got != c.want {
			t.Errorf("%q covers %q: %v", c.held, c.wanted, got)
		}
	}
}

// A role that comes by two ways counts once, and admin has everything whatever a file says.
func TestRolesInherit(t *testing.T) {
	m := model(t,
		Role{Name: "base", Permissions: []string{"orders:read"}},
		Role{Name: "left", Inherits: []string{"base"}, Permissions: []string{"left:do"}},
		Role{Name: "right", Inherits: []string{"base"}, Permissions: []string{"right:do", "orders:read"}},
		Role{Name: "top", Inherits: []string{"left", "right"}},
		Role{Name: "admin", Inherits: []string{"top"}})
	if got, want := m.Permissions([]string{"top"}), []string{"left:do", "orders:read", "right:do"}; !slices.Equal(got,
		want) {
		t.Errorf("top grants %v", got)
	}
	if got, want := m.Granting("orders:read"), []string{"admin", "base", "left", "right", "top"}; !slices.Equal(got,
		want) {
		t.Errorf("orders:read comes with %v", got)
	}
	if role, ok := m.Allows([]string{"base", "admin"}, "never:heard"); role != "admin" || !ok {
		t.Errorf("admin has not everything: %q %v", role, ok)
	}
	if m.Known("edtor") || !m.Known("top") || !m.Known("admin") {
		t.Error("which roles are known")
	}
	for name, none := range map[string]*RoleModel{"nil": nil, "zero": {}, "compiled from nothing": model(t)} {
		if none.Defined() || !none.Known("anything") || none.Known("") ||
			!slices.Equal(none.Granting("a:b"), []string{"admin"}) || len(none.Permissions([]string{"x"})) != 0 {
			t.Errorf("%s: without definitions any name is a role and only admin may everything", name)
		}
	}
}

// R1 a role that inherits from itself, by whatever way, or from an unknown role, is an error with its place; so is
// nonsense.
func TestBrokenRolesAreErrorsWithTheirPlace(t *testing.T) {
	at := Position{File: "r.yaml", Line: 3, Column: 5}
	for want, roles := range map[string][]Role{
		`r.yaml:3:5: role "a" inherits itself`: {{Name: "a", Inherits: []string{"a"}, At: at}},
		`r.yaml:3:5: role "c" inherits itself`: {{Name: "a", Inherits: []string{"b"}},
			{Name: "b", Inherits: []string{"a"}}, {Name: "c", Inherits: []string{"a"}, At: at}},
		`r.yaml:3:5: role "admin" inherits itself`: {{Name: "admin", Inherits: []string{"b"}, At: at},
			{Name: "b", Inherits: []string{"admin"}}},
		`r.yaml:3:5: role "a" inherits the unknown role "x"`:         {{Name: "a", Inherits: []string{"x"}, At: at}},
		`r.yaml:3:5: role "a" is defined twice, first at r.yaml:3:5`: {{Name: "a", At: at}, {Name: "a", At: at}},
		`r.yaml:3:5: role "a": permission "orders" is not`: {{Name: "a", Permissions: []string{"orders"},
			At: at}},
		`r.yaml:3:5: role "a": permission "or*:read": "*" must be alone `: {{Name: "a", Permissions: []string{"or*:read"},
			At: at}},
	} {
		_, err := CompileRoles(roles)
		var p *Problem
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &p) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Forty diamonds on top of each other have 2^40 ways to the ground; a chain may be long, but not endless.
func TestInheritanceCostsWhatItIsLong(t *testing.T) {
	roles := []Role{{Name: "d0", Permissions: []string{"a:b"}}}
	for i := range 40 {
		below := fmt.Sprintf("d%d", i)
		l, r := fmt.Sprintf("l%d", i), fmt.Sprintf("r%d", i)
		roles = append(roles, Role{Name: l, Inherits: []string{below}}, Role{Name: r, Inherits: []string{below}},
			Role{Name: fmt.Sprintf("d%d", i+1), Inherits: []string{l, r}})
	}
	var m *RoleModel
	timebound.CPU(t, "reading 40 diamonds", time.Second, func() { m = model(t, roles...) })
	if !slices.Equal(m.Permissions([]string{"d40"}), []string{"a:b"}) {
		t.Error("the diamonds lost the permission")
	}
	chain := []Role{{Name: "z"}}
	for i := range 2 * maxInheritance {
		chain = append(chain, Role{Name: fmt.Sprintf("a%05d", i), Inherits: []string{fmt.Sprintf("a%05d", i+1)}})
	}
	chain = append(chain, Role{Name: fmt.Sprintf("a%05d", 2*maxInheritance), Inherits: []string{"z"}})
	if _, err := CompileRoles(chain); err == nil {
		t.Error("a chain of 2,000 roles is taken")
	}
	if !slices.Equal(m.Granting("x:y"), []string{identity.AdminRole}) {
		t.Error("control: holders of x:y")
	}
}

func TestPermissionsAreChecked(t *testing.T) {
	for _, good := range []string{"*", "*:*", "orders:*", "*:read", "truxe:users:write", "a:b"} {
		if err := CheckPermission(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ":", "orders", "orders:", ":read", "or*:read", "orders:re*", "a b:c", "a:b,c", "a::b",
		":a:b", "a|b:c", strings.Repeat("a", 200) + ":b"} {
		if CheckPermission(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
