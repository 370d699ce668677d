package api

import (
	"context"
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/portal/wire"
)

// Permissions of the roles' part of the API (CONTRACT section 7).
const (
	rolesRead  = "truxe:roles:read"
	rolesWrite = "truxe:roles:write"
)

// Roles lists the roles.
func Roles(c *web.Call) error {
	if err := c.Require(rolesRead); err != nil {
		return err
	}
	list, err := c.People.ListRoles(c.Context())
	if err != nil {
		return err
	}
	return c.List(list)
}

// Role returns one role.
func Role(c *web.Call) error {
	if err := c.Require(rolesRead); err != nil {
		return err
	}
	role, err := c.People.ShowRole(c.Context(), c.Role)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, role)
}

// GrantRole gives a user one role.
func GrantRole(c *web.Call) error { return changeRole(c, c.People.GrantRoles) }

// RevokeRole takes one role from a user.
func RevokeRole(c *web.Call) error { return changeRole(c, c.People.RevokeRoles) }

type roleChange func(ctx context.Context, by change.By, id identity.ID, roles ...string) (identity.User, error)

// changeRole gives or takes one role. Whoever may do that may become anybody, so it asks for a fresh factor (SE-14), and
// somebody who is not an administrator neither makes nor unmakes one.
func changeRole(c *web.Call, do roleChange) error {
	if err := c.Require(rolesWrite); err != nil {
		return err
	}
	if err := c.ReadEmpty(); err != nil {
		return err
	}
	if err := c.CheckFresh(); err != nil {
		return err
	}
	id, ok := identity.ParseID(c.ID)
	if !ok {
		return web.NotFound()
	}
	if err := mayHandOut(c, c.Role); err != nil {
		return err
	}
	user, err := do(c.Context(), c.By(), id, c.Role)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"id": user.ID.String(), "username": user.Username, "roles": wire.Strings(user.Roles)})
}

// mayHandOut keeps people from rising by their own hand: who gives or takes a role holds every permission of it.
func mayHandOut(c *web.Call, role string) error {
	m := c.People.Model()
	for _, permission := range m.Permissions([]string{role}) {
		if _, ok := m.Allows(c.Entry.Principal.Roles, permission); !ok {
			return c.Deny("This role grants more than you have.", permission)
		}
	}
	return nil
}
