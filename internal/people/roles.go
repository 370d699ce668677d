package people

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

// maxRoles bounds the roles of one user: they are sent in tokens and headers.
const maxRoles = 100

// errManaged refuses to change the roles of a user whom the users_file owns: the file would undo it.
var errManaged = identity.Refuse(identity.CodeForbidden,
	"This person is managed in the users_file. Change the roles there.")

// Model returns the roles that policies define now; nil when they define none.
func (d *Directory) Model() *policy.RoleModel {
	if d.Roles == nil {
		return nil
	}
	return d.Roles()
}

// GrantRoles adds roles to a user. A user who has them all already is not changed, and nothing is logged.
func (d *Directory) GrantRoles(ctx context.Context, by change.By, id identity.ID,
	roles ...string) (identity.User, error) {
	clean, err := d.knownRoles(roles)
	if err != nil {
		return identity.User{}, err
	}
	return d.changeRoles(ctx, by, id, func(have []string) []string { return append(slices.Clone(have), clean...) })
}

// RevokeRoles takes roles from a user. A role that the user does not have, or that can no longer be granted, is no
// error.
func (d *Directory) RevokeRoles(ctx context.Context, by change.By, id identity.ID,
	roles ...string) (identity.User, error) {
	clean, err := cleanRoles(roles)
	if err != nil {
		return identity.User{}, err
	}
	return d.changeRoles(ctx, by, id, func(have []string) []string {
		return slices.DeleteFunc(slices.Clone(have), func(r string) bool { return slices.Contains(clean, r) })
	})
}

// changeRoles computes the new roles with the user's row locked, so that concurrent changes do not undo each other.
func (d *Directory) changeRoles(ctx context.Context, by change.By, id identity.ID,
	to func(have []string) []string) (identity.User, error) {
	var user identity.User
	err := d.Changes.Run(ctx, func(tx *change.Tx) error {
		before, err := tx.LockedUser(ctx, id)
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
		user, err = d.update(ctx, tx, by, before, store.UserChange{Roles: &roles})
		return err
	})
	return user, err
}

// cleanRoles brings roles into one form: each once, sorted.
func cleanRoles(roles []string) ([]string, error) {
	out := []string{}
	for _, role := range roles {
		role = strings.TrimSpace(role)
		if role == "" || len(role) > 64 || strings.ContainsFunc(role,
			func(r rune) bool { return r <= ' ' || r == ',' || r == '|' || r == 0x7f }) {
			return nil, identity.Invalid("A role is 1 to 64 characters without spaces, commas and bars.")
		}
		out = append(out, role)
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > maxRoles {
		return nil, identity.Invalid(fmt.Sprintf("A person has at most %d roles.", maxRoles))
	}
	return out, nil
}

// knownRoles is cleanRoles for roles that are granted. Where policies define roles, another name is an error (CONTRACT
// section 10). kept are roles that the user has already: a policy that no longer defines them must not keep an
// administrator from changing anything else.
func (d *Directory) knownRoles(roles []string, kept ...string) ([]string, error) {
	clean, err := cleanRoles(roles)
	if err != nil {
		return nil, err
	}
	return clean, unknownRole(d.Model(), clean, kept)
}

func unknownRole(m *policy.RoleModel, roles, kept []string) error {
	for _, role := range roles {
		if !m.Known(role) && !slices.Contains(kept, role) {
			return identity.Invalid(fmt.Sprintf("no policy defines the role %q%s", role, nearest.Hint(role, m.Names())))
		}
	}
	return nil
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// added lists what is in after and not in before, for the log.
func added(before, after []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(after), func(r string) bool { return slices.Contains(before, r) }),
		",")
}
