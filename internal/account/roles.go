package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/nearest"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// maxRoles bounds the roles of one person: they travel in tokens and headers.
const maxRoles = 100

// errManaged refuses a change to somebody whom a users_file owns: the file would undo it.
var errManaged = &identity.Error{Code: identity.CodeForbidden, Detail: "This person is managed in the users_file. Change the roles there."}

// Model is the roles that policies define at this moment; nil: none.
func (a *Accounts) Model() *policy.RoleModel {
	if a.Roles == nil {
		return nil
	}
	return a.Roles()
}

// GrantRoles gives a person more roles. Who has them all already is not changed, and nothing is logged.
func (a *Accounts) GrantRoles(ctx context.Context, by change.By, id identity.ID, roles ...string) (identity.User, error) {
	clean, err := a.knownRoles(roles)
	if err != nil {
		return identity.User{}, err
	}
	return a.changeRoles(ctx, by, id, func(have []string) []string { return append(slices.Clone(have), clean...) })
}

// RevokeRoles takes roles from a person. One that the person does not have is no error, nor is one that nobody can be given
// any more.
func (a *Accounts) RevokeRoles(ctx context.Context, by change.By, id identity.ID, roles ...string) (identity.User, error) {
	clean, err := cleanRoles(roles)
	if err != nil {
		return identity.User{}, err
	}
	return a.changeRoles(ctx, by, id, func(have []string) []string {
		return slices.DeleteFunc(slices.Clone(have), func(r string) bool { return slices.Contains(clean, r) })
	})
}

// changeRoles computes the new roles under the lock of the person's row, so of two changes at once neither undoes the other.
func (a *Accounts) changeRoles(ctx context.Context, by change.By, id identity.ID, to func(have []string) []string) (identity.User, error) {
	var user identity.User
	err := a.Run(ctx, func(tx *change.Tx) error {
		before, err := a.lockedUser(ctx, tx, id)
		if err != nil {
			return err
		}
		roles, err := cleanRoles(to(before.Roles))
		if err != nil {
			return err
		}
		if user = before; slices.Equal(roles, sorted(before.Roles)) {
			return nil
		}
		if before.Managed != "" {
			return errManaged
		}
		user, err = a.update(ctx, tx, by, before, store.UserChange{Roles: &roles})
		return err
	})
	return user, err
}

// cleanRoles brings roles into one form: each once, sorted.
func cleanRoles(roles []string) ([]string, error) {
	out := []string{}
	for _, role := range roles {
		role = strings.TrimSpace(role)
		if role == "" || len(role) > 64 || strings.ContainsFunc(role, func(r rune) bool { return r <= ' ' || r == ',' || r == '|' || r == 0x7f }) {
			return nil, &identity.Error{Code: identity.CodeInvalidRequest, Detail: "A role is 1 to 64 characters without spaces, commas and bars."}
		}
		out = append(out, role)
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > maxRoles {
		return nil, &identity.Error{Code: identity.CodeInvalidRequest, Detail: fmt.Sprintf("A person has at most %d roles.", maxRoles)}
	}
	return out, nil
}

// knownRoles is cleanRoles for roles that somebody is given. Where policies define roles, another name is an error (CONTRACT
// section 10); kept are roles that the person has already: a policy that no longer defines them must not keep an
// administrator from changing anything else.
func (a *Accounts) knownRoles(roles []string, kept ...string) ([]string, error) {
	clean, err := cleanRoles(roles)
	if err != nil {
		return nil, err
	}
	return clean, unknownRole(a.Model(), clean, kept)
}

func unknownRole(m *policy.RoleModel, roles, kept []string) error {
	for _, role := range roles {
		if !m.Known(role) && !slices.Contains(kept, role) {
			return &identity.Error{Code: identity.CodeInvalidRequest, Detail: fmt.Sprintf("no policy defines the role %q%s", role, nearest.Hint(role, m.Names()))}
		}
	}
	return nil
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// added lists what is in after and not in before, for the log.
func added(before, after []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(after), func(r string) bool { return slices.Contains(before, r) }), ",")
}
