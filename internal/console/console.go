// Package console implements what operators can do: one function for each call. The command line reaches them by name,
// at the running gateway through Caddy's admin endpoint and on the store itself while Caddy is stopped.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/signin"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/strictjson"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// Console has what the calls need of one configuration. All fields are required.
type Console struct {
	Store    *store.Store
	Changes  *change.Changes
	People   *people.Directory
	SignIn   *signin.Parts
	Ring     *token.Ring
	Policies *Policies
	Refusals *gate.Refusals // what this node remembers of its answers
	SetupURL string         // of the page that takes a setup code
	Now      func() time.Time
}

// call runs one function with arguments from outside. Its answer is marshalled as JSON.
type call func(ctx context.Context, c *Console, by change.By, args json.RawMessage) (any, error)

var calls = map[string]call{
	"setup.link":      command((*Console).CreateSetupLink),
	"setup.create":    command((*Console).CreateFirstAdmin),
	"users.list":      query((*Console).ListUsers),
	"users.add":       command((*Console).AddUser),
	"users.show":      query((*Console).ShowUser),
	"users.disable":   command((*Console).DisableUser),
	"users.enable":    command((*Console).EnableUser),
	"users.reset-mfa": command((*Console).ResetMFA),
	"users.delete":    command((*Console).DeleteUser),
	"roles.list":      query((*Console).ListRoles),
	"roles.show":      query((*Console).ShowRole),
	"roles.grant":     command((*Console).GrantRoles),
	"roles.revoke":    command((*Console).RevokeRoles),
	"policy.show":     query((*Console).ShowPolicies),
	"policy.explain":  query((*Console).ExplainRequest),
	"policy.diff":     query((*Console).DiffPolicies),
	"explain":         query((*Console).ExplainReference),
	"sessions.list":   query((*Console).ListSessions),
	"sessions.revoke": command((*Console).RevokeSessions),
	"keys.list":       query((*Console).ListKeys),
	"keys.rotate":     command((*Console).RotateKeys),
	"audit.list":      query((*Console).ListAudit),
	"audit.tail":      query((*Console).TailAudit),
	"audit.verify":    query((*Console).VerifyAudit),
}

// None are the arguments of a call that has none.
type None struct{}

// query returns the call of a function that changes nothing.
func query[In, Out any](do func(*Console, context.Context, In) (Out, error)) call {
	return func(ctx context.Context, c *Console, _ change.By, args json.RawMessage) (any, error) {
		in, err := decode[In](args)
		if err != nil {
			return nil, err
		}
		return do(c, ctx, in)
	}
}

// command returns the call of a function that changes something, on behalf of an actor that the audit log names.
func command[In, Out any](do func(*Console, context.Context, change.By, In) (Out, error)) call {
	return func(ctx context.Context, c *Console, by change.By, args json.RawMessage) (any, error) {
		in, err := decode[In](args)
		if err != nil {
			return nil, err
		}
		return do(c, ctx, by, in)
	}
}

// CommandLine is the actor of everything that comes through the admin endpoint.
var CommandLine = change.By{Via: "cli"}

// Call runs the function of a name. Errors that are the caller's are *identity.Error.
func (c *Console) Call(ctx context.Context, by change.By, name string, args json.RawMessage) (any, error) {
	run, ok := calls[name]
	if !ok {
		return nil, identity.NotFound("unknown call " + name + "; is the command line newer than the running Caddy?")
	}
	return run(ctx, c, by, args)
}

// decode reads arguments strictly. None at all are the zero value.
func decode[In any](args json.RawMessage) (in In, err error) {
	if len(args) == 0 || string(args) == "null" {
		return in, nil
	}
	if err := strictjson.Decode(args, &in, strictjson.Options{}); err != nil {
		return in, identity.Invalid("arguments: " + err.Error())
	}
	return in, nil
}

// Page is a page of rows.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}

// Message is the answer of a call that has nothing to show.
type Message struct {
	Message string `json:"message"`
	ID      string `json:"id,omitempty"`
}

// UserArg names a user: by user name, e-mail address or id.
type UserArg struct {
	User string `json:"user"`
}

// findUser returns the user that a user name, an e-mail address or an id names.
func findUser(ctx context.Context, st *store.Store, name string) (identity.User, error) {
	if id, ok := identity.ParseID(name); ok {
		u, err := st.UserByID(ctx, id)
		if err == nil {
			return u.User, nil
		}
	}
	key, err := credential.FoldUsername(name)
	if err == nil {
		var u store.UserRecord
		if u, err = st.UserByLogin(ctx, key); err == nil {
			return u.User, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return identity.User{}, err
		}
	}
	return identity.User{}, identity.NotFound(`user "` + name + `" not found`)
}

// stamp formats a time; the zero time is "".
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
