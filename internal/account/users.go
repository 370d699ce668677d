package account

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// NewUser is a person to be created. Without a password nobody can sign in as them until one is set.
type NewUser struct {
	Username, Email, Name string
	Roles                 []string
	Password              string
	PasswordHash          string // instead of Password, from an import: bcrypt or argon2id
	Disabled              bool
	Managed               string
}

// CreateUser checks and creates a person.
func (a *Accounts) CreateUser(ctx context.Context, by By, in NewUser) (identity.User, error) {
	u, err := a.prepare(ctx, in)
	if err != nil {
		return identity.User{}, err
	}
	err = a.change(ctx, func(tx *store.Tx, out *effects) error {
		out.audit(userEvent(by, audit.UserCreated, u.User))
		return conflict(tx.CreateUser(ctx, u))
	})
	return u.User, err
}

// prepare checks everything that needs no database and hashes the password.
func (a *Accounts) prepare(ctx context.Context, in NewUser) (store.NewUser, error) {
	u := store.NewUser{User: identity.User{ID: identity.NewID(), Email: strings.TrimSpace(in.Email), Name: strings.TrimSpace(in.Name),
		Disabled: in.Disabled, Managed: in.Managed, Created: a.Now()}}
	var err error
	if u.Username, err = credential.ValidUsername(in.Username); err != nil {
		return u, invalid("username", err)
	}
	if u.UsernameKey, err = credential.FoldUsername(u.Username); err != nil {
		return u, invalid("username", err)
	}
	if u.Email != "" {
		if err := credential.ValidEmail(u.Email); err != nil {
			return u, invalid("email", err)
		}
		if u.EmailKey, err = credential.FoldUsername(u.Email); err != nil {
			return u, invalid("email", err)
		}
	}
	if u.Roles, err = cleanRoles(in.Roles); err != nil {
		return u, err
	}
	switch {
	case in.PasswordHash != "":
		if err := credential.CheckHash(in.PasswordHash); err != nil {
			return u, invalid("password_hash", err)
		}
		u.PasswordHash = in.PasswordHash
	case in.Password != "":
		u.PasswordHash, _, err = a.newPassword(ctx, in.Password, credential.CheckContext{Username: u.Username, Email: u.Email})
	}
	return u, err
}

// newPassword judges and hashes a password somebody wants to have. alone: it is long enough to be the only factor (PW-01).
func (a *Accounts) newPassword(ctx context.Context, password string, whose credential.CheckContext) (hash string, alone bool, err error) {
	normal, err := credential.Normalize(password)
	if err != nil {
		return "", false, &identity.Error{Code: identity.CodePasswordRefused, Detail: err.Error()}
	}
	if err := a.Passwords.Check(normal, whose); err != nil {
		return "", false, err
	}
	hash, err = a.Hasher.Hash(ctx, normal)
	return hash, a.Passwords.Alone(normal), err
}

func cleanRoles(roles []string) ([]string, error) {
	out := []string{}
	for _, role := range roles {
		role = strings.TrimSpace(role)
		if role == "" || len(role) > 64 || strings.ContainsFunc(role, func(r rune) bool { return r <= ' ' || r == ',' || r == '|' || r == 0x7f }) {
			return nil, &identity.Error{Code: identity.CodeInvalidRequest, Detail: "A role is 1 to 64 characters without spaces, commas and bars."}
		}
		if !slices.Contains(out, role) {
			out = append(out, role)
		}
	}
	slices.Sort(out)
	return out, nil
}

// UpdateUser changes a person. Taking away roles or disabling counts on the next request, on every node.
func (a *Accounts) UpdateUser(ctx context.Context, by By, id identity.ID, c store.UserChange) (identity.User, error) {
	if c.Email != nil && *c.Email != "" {
		if err := credential.ValidEmail(*c.Email); err != nil {
			return identity.User{}, invalid("email", err)
		}
		key, err := credential.FoldUsername(*c.Email)
		if err != nil {
			return identity.User{}, invalid("email", err)
		}
		c.EmailKey = &key
	} else if c.Email != nil {
		c.EmailKey = c.Email
	}
	if c.Roles != nil {
		clean, err := cleanRoles(*c.Roles)
		if err != nil {
			return identity.User{}, err
		}
		c.Roles = &clean
	}
	var user identity.User
	err := a.change(ctx, func(tx *store.Tx, out *effects) error {
		before, err := a.mustUser(ctx, tx, id)
		if err != nil {
			return err
		}
		if losesAdmin(before, c) {
			if err := a.keepOneAdmin(ctx, tx, id); err != nil {
				return err
			}
		}
		if err := conflict(tx.UpdateUser(ctx, id, c)); err != nil {
			return err
		}
		after, err := a.mustUser(ctx, tx, id)
		if err != nil {
			return err
		}
		user = after
		out.changed = append(out.changed, id)
		return a.auditUpdate(ctx, tx, out, by, before, after)
	})
	return user, err
}

func (a *Accounts) auditUpdate(ctx context.Context, tx *store.Tx, out *effects, by By, before, after identity.User) error {
	if !slices.Equal(before.Roles, after.Roles) {
		e := userEvent(by, audit.PrivilegeChanged, after)
		e.Details = map[string]string{"from": strings.Join(before.Roles, ","), "to": strings.Join(after.Roles, ",")}
		out.audit(e)
		if err := tx.WantRenewal(ctx, after.ID, a.Now()); err != nil { // SE-02
			return err
		}
	}
	switch {
	case after.Disabled && !before.Disabled:
		out.audit(userEvent(by, audit.UserDisabled, after))
		return a.revokeUser(ctx, tx, out, after.ID, identity.ID{}, "user_disabled")
	case before.Disabled && !after.Disabled:
		out.audit(userEvent(by, audit.UserEnabled, after))
	}
	if before.Email != after.Email || before.Name != after.Name || before.Managed != after.Managed {
		out.audit(userEvent(by, audit.UserUpdated, after))
		out.leaves(before, after)
	}
	return nil
}

// DeleteUser removes a person; sessions and tokens end. The id is never given to anybody else.
func (a *Accounts) DeleteUser(ctx context.Context, by By, id identity.ID) error {
	return a.change(ctx, func(tx *store.Tx, out *effects) error {
		user, err := a.mustUser(ctx, tx, id)
		if err != nil {
			return err
		}
		if user.HasRole(identity.AdminRole) && !user.Disabled {
			if err := a.keepOneAdmin(ctx, tx, id); err != nil {
				return err
			}
		}
		out.audit(userEvent(by, audit.UserDeleted, user))
		if err := a.revokeUser(ctx, tx, out, id, identity.ID{}, "user_deleted"); err != nil {
			return err
		}
		out.changed = append(out.changed, id)
		return tx.DeleteUser(ctx, id)
	})
}

// losesAdmin tells a change after which an administrator is none.
func losesAdmin(before identity.User, c store.UserChange) bool {
	if !before.HasRole(identity.AdminRole) || before.Disabled {
		return false
	}
	return c.Disabled != nil && *c.Disabled || c.Roles != nil && !slices.Contains(*c.Roles, identity.AdminRole)
}

// keepOneAdmin refuses to lock everybody out of administration: without users the setup link would come back, without
// administrators nothing would.
func (a *Accounts) keepOneAdmin(ctx context.Context, tx *store.Tx, leaving identity.ID) error {
	n, err := tx.CountOthersWithRole(ctx, identity.AdminRole, leaving)
	if err != nil {
		return err
	}
	if n == 0 {
		return &identity.Error{Code: identity.CodeConflict, Detail: "This is the last administrator. Make somebody else one first."}
	}
	return nil
}

func (a *Accounts) mustUser(ctx context.Context, tx *store.Tx, id identity.ID) (identity.User, error) {
	u, err := tx.UserByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return u.User, &identity.Error{Code: identity.CodeNotFound, Detail: "There is no such user."}
	}
	return u.User, err
}

func userEvent(by By, name string, u identity.User) audit.Event {
	e := by.event(name, "success")
	e.Subject = audit.Subject{ID: u.ID.String(), Name: u.Username}
	return e
}

func invalid(field string, err error) error {
	return &identity.Error{Code: identity.CodeInvalidRequest, Detail: field + ": " + err.Error()}
}

func conflict(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return &identity.Error{Code: identity.CodeConflict, Detail: "This user name or e-mail address is taken.", Err: err}
	}
	return err
}
