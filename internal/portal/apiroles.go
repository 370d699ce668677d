package portal

import (
	"context"
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Permissions of the roles' part of the API (CONTRACT section 7).
const (
	rolesRead  = "truxe:roles:read"
	rolesWrite = "truxe:roles:write"
)

func apiRoles(c *call) error {
	if err := c.needs(rolesRead); err != nil {
		return err
	}
	list, err := c.People.ListRoles(c.ctx())
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{"items": list, "next_cursor": ""})
}

func apiRole(c *call) error {
	if err := c.needs(rolesRead); err != nil {
		return err
	}
	role, err := c.People.ShowRole(c.ctx(), c.role)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, role)
}

func apiGrantRole(c *call) error { return c.changeRole(c.People.GrantRoles) }

func apiRevokeRole(c *call) error { return c.changeRole(c.People.RevokeRoles) }

type roleChange func(ctx context.Context, by change.By, id identity.ID, roles ...string) (identity.User, error)

// changeRole gives or takes one role. Whoever may do that may become anybody, so it asks for a fresh factor (SE-14), and
// somebody who is not an administrator neither makes nor unmakes one.
func (c *call) changeRole(do roleChange) error {
	if err := c.needs(rolesWrite); err != nil {
		return err
	}
	if err := c.readEmpty(); err != nil {
		return err
	}
	if err := c.fresh(); err != nil {
		return err
	}
	id, ok := identity.ParseID(c.id)
	if !ok {
		return notFound()
	}
	if err := c.mayHandOut(c.role); err != nil {
		return err
	}
	user, err := do(c.ctx(), c.by(), id, c.role)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{"id": user.ID.String(), "username": user.Username, "roles": notNil(user.Roles)})
}

// mayHandOut keeps people from rising by their own hand: who gives or takes a role holds every permission of it.
func (c *call) mayHandOut(role string) error {
	m := c.People.Model()
	for _, permission := range m.Permissions([]string{role}) {
		if _, ok := m.Allows(c.entry.Principal.Roles, permission); !ok {
			return c.denied("This role grants more than you have.", permission)
		}
	}
	return nil
}
