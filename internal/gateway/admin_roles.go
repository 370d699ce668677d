package gateway

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/people"
)

func adminRolesList(ctx context.Context, g *Gateway, _ json.RawMessage) (any, error) {
	list, err := g.people.ListRoles(ctx)
	return listOf[people.RoleInfo]{Items: list}, err
}

func adminRolesShow(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var in struct {
		Role string `json:"role"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	return g.people.ShowRole(ctx, in.Role)
}

type roleChange func(ctx context.Context, by change.By, id identity.ID, roles ...string) (identity.User, error)

// changeRoles grants or revokes roles, and shows the person with those they have now.
func changeRoles(ctx context.Context, g *Gateway, raw json.RawMessage, do roleChange) (any, error) {
	var in struct {
		User  string   `json:"user"`
		Roles []string `json:"roles"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	u, err := named(ctx, g, in.User)
	if err != nil {
		return nil, err
	}
	if u, err = do(ctx, byCommandLine, u.ID, in.Roles...); err != nil {
		return nil, err
	}
	has := "no roles"
	if len(u.Roles) > 0 {
		has = strings.Join(u.Roles, ", ")
	}
	return struct {
		said
		Username string   `json:"username"`
		Roles    []string `json:"roles"`
	}{said{Message: u.Username + " has " + has, ID: u.ID.String()}, u.Username, append([]string{}, u.Roles...)}, nil
}
