package people

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// AZ-08 AU-01: a role is given and taken with one event that says which and by whom; to do it again changes and logs
// nothing.
func TestRolesAreGrantedAndRevokedOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx, boss := context.Background(), n.make("boss", identity.AdminRole)
		u := n.make("ada", "staff")
		by := change.By{Principal: &identity.Principal{UserID: boss.ID.String(), Username: "boss"}, IP: "192.0.2.1"}
		for range 2 {
			got, err := n.GrantRoles(ctx, by, u.ID, "auditor", "staff", "auditor")
			must(t, err)
			if strings.Join(got.Roles, " ") != "auditor staff" || n.has(u.ID) != "auditor staff" ||
				n.Audited(audit.PrivilegeChanged) != 1 {
				t.Fatalf("%v, in the database %q, %d events", got.Roles, n.has(u.ID), n.Audited(audit.PrivilegeChanged))
			}
		}
		if line := n.lastOf(audit.PrivilegeChanged); !strings.Contains(line, `"added":"auditor"`) ||
			!strings.Contains(line, `"removed":""`) || !strings.Contains(line, boss.ID.String()) ||
			!strings.Contains(line, u.ID.String()) {
			t.Error(line)
		}
		for range 2 {
			got, err := n.RevokeRoles(ctx, by, u.ID, "staff", "nothing-anybody-has")
			must(t, err)
			if strings.Join(got.Roles, " ") != "auditor" || n.has(u.ID) != "auditor" || n.Audited(audit.PrivilegeChanged) != 2 {
				t.Fatalf("%v, in the database %q", got.Roles, n.has(u.ID))
			}
		}
		if line := n.lastOf(audit.PrivilegeChanged); !strings.Contains(line, `"removed":"staff"`) {
			t.Error(line)
		}
		// AU-02: under the OWASP name, with from and to, beside the event that says more
		if line := n.lastOf(audit.AuthzChange); n.Audited(audit.AuthzChange) != 2 ||
			!strings.Contains(line, `"from":"auditor,staff"`) || !strings.Contains(line, `"to":"auditor"`) ||
			!strings.Contains(line, u.ID.String()) || !strings.Contains(line, boss.ID.String()) {
			t.Error(n.Audited(audit.AuthzChange), line)
		}
		shown, err := n.Activity(ctx, u.ID, 0, 100)
		if must(t, err); !slices.ContainsFunc(shown, named(audit.PrivilegeChanged)) ||
			slices.ContainsFunc(shown, named(audit.AuthzChange)) {
			t.Errorf("the user reads of one change more or less than once: %v", shown)
		}
		_, err = n.GrantRoles(ctx, by, identity.NewID(), "staff")
		wants(t, err, identity.CodeNotFound)
		for _, bad := range []string{"", "a b", "a,b", "a|b", strings.Repeat("x", 65)} {
			_, err := n.GrantRoles(ctx, by, u.ID, bad)
			wants(t, err, identity.CodeInvalidRequest)
		}
	})
}

func named(event string) func(store.AuditRow) bool {
	return func(r store.AuditRow) bool { return r.Event == event }
}

// Of two who take the last administrators' role from each other one is refused, on every way to lose it.
func TestLastAdministratorKeepsTheRole(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx, ada, bob := context.Background(), n.make("ada", identity.AdminRole), n.make("bob", identity.AdminRole)
		pair := []identity.ID{ada.ID, bob.ID}
		won := race(2, func(i int) bool {
			_, err := n.RevokeRoles(ctx, byCLI, pair[i], identity.AdminRole)
			if err != nil {
				wants(t, err, identity.CodeConflict)
			}
			return err == nil
		})
		if left := strings.TrimSpace(n.has(ada.ID) + n.has(bob.ID)); won != 1 || left != identity.AdminRole {
			t.Fatalf("%d revocations, roles left: %q", won, left)
		}
	})
}

// Grants that race keep each other's roles.
func TestRacingGrantsAllCount(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		u := n.make("ada")
		won := race(6, func(i int) bool {
			_, err := n.GrantRoles(context.Background(), byCLI, u.ID, string(rune('a'+i)))
			return err == nil
		})
		if n.has(u.ID) != "a b c d e f" || won != 6 {
			t.Errorf("%d grants, roles %q", won, n.has(u.ID))
		}
	})
}

// CONTRACT section 10: where policies define roles, another name is an error with the nearest one, wherever a role is
// given; a role that a user has from before stays, and prevents no other change.
func TestUnknownRoleIsRefusedWhereverARoleIsGiven(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	n.make("root", identity.AdminRole)
	u := n.make("ada", "legacy")
	n.defines(policy.Role{Name: "editor", Permissions: []string{"orders:write"}}, policy.Role{Name: "viewer"})
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || identity.CodeOf(err) != identity.CodeInvalidRequest ||
			!strings.Contains(detail(err), `"edtor"`) || !strings.Contains(detail(err), `did you mean "editor"?`) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := n.GrantRoles(ctx, byCLI, u.ID, "viewer", "edtor")
	refused("grant", err)
	_, err = n.CreateUser(ctx, byCLI, NewUser{Username: "new", Roles: []string{"edtor"}})
	refused("create", err)
	roles := []string{"legacy", "edtor"}
	_, err = n.UpdateUser(ctx, byCLI, u.ID, store.UserChange{Roles: &roles})
	refused("edit", err)
	file, err := ParseUsersFile([]byte("users:\n  - username: first\n  - username: second\n    roles: [edtor]\n"))
	must(t, err)
	_, _, err = n.ApplyUsersFile(ctx, file)
	if err == nil || !strings.Contains(err.Error(),
		`user 2 ("second"): no policy defines the role "edtor"; did you mean "editor"?`) {
		t.Errorf("users_file: %v", err)
	}
	if list, _, err := n.st.ListUsers(ctx, store.UserFilter{}); err != nil || len(list) != 2 {
		t.Errorf("a refused file or call left %d users: %v", len(list), err)
	}
	if n.has(u.ID) != "legacy" || n.Audited(audit.PrivilegeChanged) != 0 {
		t.Errorf("roles %q", n.has(u.ID))
	}
	_, err = n.GrantRoles(ctx, byCLI, u.ID, "editor", identity.AdminRole) // admin needs no policy
	must(t, err)
	_, err = n.RevokeRoles(ctx, byCLI, u.ID, "legacy", "edtor")
	must(t, err)
	if n.has(u.ID) != "admin editor" {
		t.Errorf("roles %q", n.has(u.ID))
	}
}

// Whom the users_file owns is changed there: the next start would undo anything else.
func TestRolesOfTheUsersFileAreChangedThere(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	n.make("root", identity.AdminRole)
	file, err := ParseUsersFile([]byte("users:\n  - username: ada\n    roles: [staff]\n"))
	must(t, err)
	_, _, err = n.ApplyUsersFile(ctx, file)
	must(t, err)
	list, _, err := n.st.ListUsers(ctx, store.UserFilter{Search: "ada"})
	must(t, err)
	id := list[0].ID
	_, err = n.GrantRoles(ctx, byCLI, id, "auditor")
	wants(t, err, identity.CodeForbidden)
	_, err = n.RevokeRoles(ctx, byCLI, id, "staff")
	wants(t, err, identity.CodeForbidden)
	_, err = n.GrantRoles(ctx, byCLI, id, "staff") // nothing to change
	must(t, err)
	if n.has(id) != "staff" {
		t.Errorf("roles %q", n.has(id))
	}
}

// The list has the roles that policies define and those that users have, each with what it grants, how many users have
// it and where it is defined.
func TestRolesAreListedWithMembersAndPlace(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	n.make("root", identity.AdminRole)
	n.make("ada", "editor", "legacy")
	n.make("bob", "editor")
	show := func() string {
		list, err := n.ListRoles(ctx)
		must(t, err)
		var lines []string
		for _, r := range list {
			lines = append(lines, strings.Join([]string{r.Role, strings.Join(r.Permissions, ","), strings.Join(r.Inherits, ","),
				string(rune('0' + r.Members)), r.Defined}, "|"))
		}
		return strings.Join(lines, "\n")
	}
	if got, want := show(), "admin|*||1|built in\neditor|||2|\nlegacy|||1|"; got != want {
		t.Errorf("without policies:\n%s", got)
	}
	n.defines(policy.Role{Name: "viewer", Permissions: []string{"orders:read"},
		At: policy.Position{File: "p.yaml", Line: 2, Column: 3}},
		policy.Role{Name: "editor", Inherits: []string{"viewer"}, Permissions: []string{"orders:write"},
			Description: "Writes.", At: policy.Position{File: "p.yaml", Line: 3, Column: 3}})
	if got, want := show(), "admin|*||1|built in\neditor|orders:read,orders:write|viewer|2|p.yaml:3:3\nlegacy|||1|\nviewer|orders:read||0|p.yaml:2:3"; got != want {
		t.Errorf("with policies:\n%s", got)
	}
	r, err := n.ShowRole(ctx, "editor")
	if must(t, err); !slices.Equal(r.Users, []string{"ada", "bob"}) || r.Description != "Writes." {
		t.Errorf("%+v", r)
	}
	_, err = n.ShowRole(ctx, "editr")
	if wants(t, err, identity.CodeNotFound); !strings.Contains(detail(err), `"editor"`) {
		t.Error(err)
	}
}
