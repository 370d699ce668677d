package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/problem"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/strictjson"
)

// Status maps a code to its HTTP status.
func Status(code identity.Code) int { return problem.Status(code) }

// adminCall is one thing the command line can ask for. Its answer is marshalled as JSON.
type adminCall func(ctx context.Context, g *Gateway, args json.RawMessage) (any, error)

var adminCalls = map[string]adminCall{
	"setup.link":   adminSetupLink,
	"setup.create": adminSetupCreate,
	"users.list":   adminUsersList,
	"users.add":    adminUsersAdd,
	"users.show":   adminUsersShow,
	"users.disable": func(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
		return adminUsersDisable(ctx, g, raw, true)
	},
	"users.enable": func(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
		return adminUsersDisable(ctx, g, raw, false)
	},
	"users.reset-mfa": adminUsersResetMFA,
	"users.delete":    adminUsersDelete,
	"roles.list":      adminRolesList,
	"roles.show":      adminRolesShow,
	"roles.grant": func(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
		return changeRoles(ctx, g, raw, g.people.GrantRoles)
	},
	"roles.revoke": func(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
		return changeRoles(ctx, g, raw, g.people.RevokeRoles)
	},
	"policy.show":     adminPolicyShow,
	"policy.explain":  adminPolicyExplain,
	"policy.diff":     adminPolicyDiff,
	"explain":         adminExplain,
	"sessions.list":   adminSessionsList,
	"sessions.revoke": adminSessionsRevoke,
	"keys.list":       adminKeysList,
	"keys.rotate":     adminKeysRotate,
	"audit.list":      adminAuditList,
	"audit.tail":      adminAuditTail,
	"audit.verify":    adminAuditVerify,
}

// byCommandLine is the actor of everything that comes through the admin endpoint.
var byCommandLine = change.By{Via: "cli"}

// Admin runs one call of the command line.
func (g *Gateway) Admin(ctx context.Context, name string, args json.RawMessage) (any, error) {
	call, ok := adminCalls[name]
	if !ok {
		return nil, &identity.Error{Code: identity.CodeNotFound, Detail: "unknown call " + name + "; is the command line newer than the running Caddy?"}
	}
	return call(ctx, g, args)
}

// read decodes arguments strictly; none is fine.
func read(raw json.RawMessage, into any) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if err := strictjson.Decode(raw, into, strictjson.Options{}); err != nil {
		return &identity.Error{Code: identity.CodeInvalidRequest, Detail: "arguments: " + err.Error()}
	}
	return nil
}

// listOf is a page of rows.
type listOf[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}

// said is the answer of a call that has nothing to show.
type said struct {
	Message string `json:"message"`
	ID      string `json:"id,omitempty"`
}

// UserRow is a user as the command line shows it.
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
	return UserRow{ID: u.ID.String(), Username: u.Username, Email: u.Email, Name: u.Name, Roles: u.Roles, Disabled: u.Disabled,
		Managed: u.Managed, Created: stamp(u.Created), LastSeen: stamp(u.LastSeen)}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func adminSetupLink(ctx context.Context, g *Gateway, _ json.RawMessage) (any, error) {
	url, expires, err := g.setupLink(ctx, byCommandLine)
	if err != nil {
		return nil, err
	}
	return map[string]any{"url": url, "expires": stamp(expires)}, nil
}

func adminSetupCreate(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var in struct {
		Username string `json:"username"`
		Email    string `json:"email"`
		Name     string `json:"name"`
		Password string `json:"password"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	u, err := g.people.CreateFirstAdmin(ctx, byCommandLine, people.NewUser{Username: in.Username, Email: in.Email, Name: in.Name, Password: in.Password})
	if err != nil {
		return nil, err
	}
	return userRow(u), nil
}

func adminUsersList(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var in struct {
		Search string `json:"search"`
		Cursor string `json:"cursor"`
		Limit  int    `json:"limit"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	users, next, err := g.engine.store.ListUsers(ctx, store.UserFilter{Search: in.Search, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := listOf[UserRow]{Items: []UserRow{}, NextCursor: next}
	for _, u := range users {
		out.Items = append(out.Items, userRow(u))
	}
	return out, nil
}

func adminUsersAdd(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var in struct {
		Username string   `json:"username"`
		Email    string   `json:"email"`
		Name     string   `json:"name"`
		Roles    []string `json:"roles"`
		Password string   `json:"password"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	u, err := g.people.CreateUser(ctx, byCommandLine, people.NewUser{Username: in.Username, Email: in.Email, Name: in.Name, Roles: in.Roles, Password: in.Password})
	if err != nil {
		return nil, err
	}
	return userRow(u), nil
}

// named finds the user an argument means: a user name, an e-mail address or an id.
func named(ctx context.Context, g *Gateway, name string) (identity.User, error) {
	if id, ok := identity.ParseID(name); ok {
		u, err := g.engine.store.UserByID(ctx, id)
		if err == nil {
			return u.User, nil
		}
	}
	key, err := credential.FoldUsername(name)
	if err == nil {
		var u store.UserRecord
		if u, err = g.engine.store.UserByLogin(ctx, key); err == nil {
			return u.User, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return identity.User{}, err
		}
	}
	return identity.User{}, &identity.Error{Code: identity.CodeNotFound, Detail: `user "` + name + `" not found`}
}

func userArgument(ctx context.Context, g *Gateway, raw json.RawMessage) (identity.User, error) {
	var in struct {
		User string `json:"user"`
	}
	if err := read(raw, &in); err != nil {
		return identity.User{}, err
	}
	return named(ctx, g, in.User)
}

func adminUsersDisable(ctx context.Context, g *Gateway, raw json.RawMessage, disabled bool) (any, error) {
	u, err := userArgument(ctx, g, raw)
	if err != nil {
		return nil, err
	}
	if u, err = g.people.UpdateUser(ctx, byCommandLine, u.ID, store.UserChange{Disabled: &disabled}); err != nil {
		return nil, err
	}
	if disabled {
		return said{Message: u.Username + " is disabled; sessions and tokens have ended", ID: u.ID.String()}, nil
	}
	return said{Message: u.Username + " can sign in again", ID: u.ID.String()}, nil
}

func adminUsersDelete(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	u, err := userArgument(ctx, g, raw)
	if err != nil {
		return nil, err
	}
	if err := g.people.DeleteUser(ctx, byCommandLine, u.ID); err != nil {
		return nil, err
	}
	return said{Message: u.Username + " is deleted", ID: u.ID.String()}, nil
}
