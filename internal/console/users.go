package console

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// UserRow is a user as operators see it.
type UserRow struct {
	ID       string   `json:"id"`
	Username string   `json:"username"`
	Email    string   `json:"email"`
	Name     string   `json:"name"`
	Roles    []string `json:"roles"`
	Disabled bool     `json:"disabled"`
	Managed  string   `json:"managed,omitempty"`
	Created  string   `json:"created"`
	LastSeen string   `json:"last_seen"`
}

func userRow(u identity.User) UserRow {
	if u.Roles == nil {
		u.Roles = []string{}
	}
	return UserRow{ID: u.ID.String(), Username: u.Username, Email: u.Email, Name: u.Name, Roles: u.Roles,
		Disabled: u.Disabled,
		Managed:  u.Managed, Created: stamp(u.Created), LastSeen: stamp(u.LastSeen)}
}

// UserQuery selects users.
type UserQuery struct {
	Search string `json:"search"` // part of a name or address
	Cursor string `json:"cursor"`
	Limit  int    `json:"limit"`
}

// ListUsers returns a page of users.
func (c *Console) ListUsers(ctx context.Context, in UserQuery) (Page[UserRow], error) {
	users, next, err := c.Store.ListUsers(ctx, store.UserFilter{Search: in.Search, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return Page[UserRow]{}, err
	}
	out := Page[UserRow]{Items: []UserRow{}, NextCursor: next}
	for _, u := range users {
		out.Items = append(out.Items, userRow(u))
	}
	return out, nil
}

// NewUser is the user to create.
type NewUser struct {
	Username string   `json:"username"`
	Email    string   `json:"email"`
	Name     string   `json:"name"`
	Roles    []string `json:"roles"`
	Password string   `json:"password"` // "": the user has none
}

// AddUser creates a user.
func (c *Console) AddUser(ctx context.Context, by change.By, in NewUser) (UserRow, error) {
	u, err := c.People.CreateUser(ctx, by, people.NewUser{Username: in.Username, Email: in.Email, Name: in.Name,
		Roles: in.Roles, Password: in.Password})
	if err != nil {
		return UserRow{}, err
	}
	return userRow(u), nil
}

// DisableUser keeps a user from signing in, and ends sessions and tokens.
func (c *Console) DisableUser(ctx context.Context, by change.By, in UserArg) (Message, error) {
	return c.setDisabled(ctx, by, in, true, " is disabled; sessions and tokens have ended")
}

// EnableUser lets a disabled user sign in again.
func (c *Console) EnableUser(ctx context.Context, by change.By, in UserArg) (Message, error) {
	return c.setDisabled(ctx, by, in, false, " can sign in again")
}

func (c *Console) setDisabled(ctx context.Context, by change.By, in UserArg, disabled bool,
	text string) (Message, error) {
	u, err := findUser(ctx, c.Store, in.User)
	if err != nil {
		return Message{}, err
	}
	if u, err = c.People.UpdateUser(ctx, by, u.ID, store.UserChange{Disabled: &disabled}); err != nil {
		return Message{}, err
	}
	return Message{Message: u.Username + text, ID: u.ID.String()}, nil
}

// DeleteUser deletes a user with sessions and tokens.
func (c *Console) DeleteUser(ctx context.Context, by change.By, in UserArg) (Message, error) {
	u, err := findUser(ctx, c.Store, in.User)
	if err != nil {
		return Message{}, err
	}
	if err := c.People.DeleteUser(ctx, by, u.ID); err != nil {
		return Message{}, err
	}
	return Message{Message: u.Username + " is deleted", ID: u.ID.String()}, nil
}
