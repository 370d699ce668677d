package api

import (
	"context"
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/portal/wire"
)

// Roles lists the roles.
func Roles(c *web.Call) error {
	list, err := c.People.ListRoles(c.Context())
	if err != nil {
		return err
	}
	return c.List(list)
}

// Role returns one role.
func Role(c *web.Call) error {
	role, err := c.People.ShowRole(c.Context(), c.Role)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, role)
}

// GrantRole adds one role to a user.
func GrantRole(c *web.Call) error { return changeRole(c, c.People.GrantRoles) }

// RevokeRole removes one role from a user.
func RevokeRole(c *web.Call) error { return changeRole(c, c.People.RevokeRoles) }

type roleChange func(ctx context.Context, by change.By, id identity.ID, roles ...string) (identity.User, error)

// changeRole adds or removes one role. That could turn any user into an administrator, so it asks for a fresh factor
// (SE-14), and only an administrator can create or remove another.
func changeRole(c *web.Call, do roleChange) error {
	if err := web.ReadEmpty(c.R); err != nil {
		return err
	}
	if err := c.CheckFresh(); err != nil {
		return err
	}
	id, ok := identity.ParseID(c.ID)
	if !ok {
		return identity.NotFound("")
	}
	if beyond := c.People.Beyond(c.Entry.Principal, c.Role); beyond != "" {
		return c.Deny("This role grants more than you have.", beyond)
	}
	user, err := do(c.Context(), c.By(), id, c.Role)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"id": user.ID.String(), "username": user.Username,
		"roles": wire.Strings(user.Roles)})
}
