package console

import (
	"context"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/people"
)

// ListRoles returns the roles that policies define and those that users have.
func (c *Console) ListRoles(ctx context.Context, _ None) (Page[people.RoleInfo], error) {
	list, err := c.People.ListRoles(ctx)
	return Page[people.RoleInfo]{Items: list}, err
}

// RoleArg names a role.
type RoleArg struct {
	Role string `json:"role"`
}

// ShowRole returns what a role grants, and who has it.
func (c *Console) ShowRole(ctx context.Context, in RoleArg) (people.RoleDetail, error) {
	return c.People.ShowRole(ctx, in.Role)
}

// RoleChange names roles of a user.
type RoleChange struct {
	User  string   `json:"user"`
	Roles []string `json:"roles"`
}

// UserRoles is a user with the roles after a change.
type UserRoles struct {
	Message
	Username string   `json:"username"`
	Roles    []string `json:"roles"`
}

// GrantRoles assigns roles to a user.
func (c *Console) GrantRoles(ctx context.Context, by change.By, in RoleChange) (UserRoles, error) {
	return c.changeRoles(ctx, by, in, c.People.GrantRoles)
}

// RevokeRoles takes roles from a user.
func (c *Console) RevokeRoles(ctx context.Context, by change.By, in RoleChange) (UserRoles, error) {
	return c.changeRoles(ctx, by, in, c.People.RevokeRoles)
}

func (c *Console) changeRoles(ctx context.Context, by change.By, in RoleChange,
	do func(context.Context, change.By, identity.ID, ...string) (identity.User, error)) (UserRoles, error) {
	u, err := findUser(ctx, c.Store, in.User)
	if err != nil {
		return UserRoles{}, err
	}
	if u, err = do(ctx, by, u.ID, in.Roles...); err != nil {
		return UserRoles{}, err
	}
	has := "no roles"
	if len(u.Roles) > 0 {
		has = strings.Join(u.Roles, ", ")
	}
	return UserRoles{Message{Message: u.Username + " has " + has, ID: u.ID.String()}, u.Username,
		append([]string{}, u.Roles...)}, nil
}
