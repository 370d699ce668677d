package account

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
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
func (a *Accounts) CreateUser(ctx context.Context, by change.By, in NewUser) (identity.User, error) {
	u, err := a.prepare(ctx, in)
	if err != nil {
		return identity.User{}, err
	}
	err = a.Run(ctx, func(tx *change.Tx) error {
		tx.Record(by.UserEvent(audit.UserCreated, u.User))
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
	if u.Roles, err = a.knownRoles(in.Roles); err != nil {
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

// UpdateUser changes a person. Taking away roles or disabling counts on the next request, on every node.
func (a *Accounts) UpdateUser(ctx context.Context, by change.By, id identity.ID, c store.UserChange) (identity.User, error) {
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
	var user identity.User
	err := a.Run(ctx, func(tx *change.Tx) error {
		before, err := a.lockedUser(ctx, tx, id)
		if err != nil {
			return err
		}
		if c.Roles != nil {
			roles, err := a.knownRoles(*c.Roles, before.Roles...)
			if err != nil {
				return err
			}
			c.Roles = &roles
		}
		user, err = a.update(ctx, tx, by, before, c)
		return err
	})
	return user, err
}

// update writes a checked change and what follows from it.
func (a *Accounts) update(ctx context.Context, tx *change.Tx, by change.By, before identity.User, c store.UserChange) (identity.User, error) {
	if losesAdmin(before, c) {
		if err := a.keepOneAdmin(ctx, tx, before.ID); err != nil {
			return before, err
		}
	}
	if err := conflict(tx.UpdateUser(ctx, before.ID, c)); err != nil {
		return before, err
	}
	after, err := a.mustUser(ctx, tx, before.ID)
	if err != nil {
		return before, err
	}
	tx.UserChanged(before.ID)
	return after, a.auditUpdate(ctx, tx, by, before, after)
}

func (a *Accounts) auditUpdate(ctx context.Context, tx *change.Tx, by change.By, before, after identity.User) error {
	if !slices.Equal(before.Roles, after.Roles) {
		e := by.UserEvent(audit.PrivilegeChanged, after)
		e.Details = map[string]string{"from": strings.Join(before.Roles, ","), "to": strings.Join(after.Roles, ","),
			"added": added(before.Roles, after.Roles), "removed": added(after.Roles, before.Roles)}
		tx.Record(e)
		if err := tx.WantRenewal(ctx, after.ID, a.Now()); err != nil { // SE-02
			return err
		}
	}
	switch {
	case after.Disabled && !before.Disabled:
		tx.Record(by.UserEvent(audit.UserDisabled, after))
		return tx.RevokeUser(ctx, after.ID, identity.ID{}, "user_disabled")
	case before.Disabled && !after.Disabled:
		tx.Record(by.UserEvent(audit.UserEnabled, after))
	}
	if before.Email != after.Email || before.Name != after.Name || before.Managed != after.Managed {
		tx.Record(by.UserEvent(audit.UserUpdated, after))
		tx.AddressChanged(before, after)
	}
	return nil
}

// DeleteUser removes a person; sessions and tokens end. The id is never given to anybody else.
func (a *Accounts) DeleteUser(ctx context.Context, by change.By, id identity.ID) error {
	return a.Run(ctx, func(tx *change.Tx) error {
		user, err := a.lockedUser(ctx, tx, id)
		if err != nil {
			return err
		}
		if user.HasRole(identity.AdminRole) && !user.Disabled {
			if err := a.keepOneAdmin(ctx, tx, id); err != nil {
				return err
			}
		}
		tx.Record(by.UserEvent(audit.UserDeleted, user))
		if err := tx.RevokeUser(ctx, id, identity.ID{}, "user_deleted"); err != nil {
			return err
		}
		tx.UserChanged(id)
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
func (a *Accounts) keepOneAdmin(ctx context.Context, tx *change.Tx, leaving identity.ID) error {
	n, err := tx.CountOthersWithRole(ctx, identity.AdminRole, leaving)
	if err != nil {
		return err
	}
	if n == 0 {
		return &identity.Error{Code: identity.CodeConflict, Detail: "This is the last administrator. Make somebody else one first."}
	}
	return nil
}

// lockedUser reads a person whom nobody else changes until the transaction ends. The row is locked before the lock of
// keepOneAdmin, by everybody, so that no two transactions wait for each other.
func (a *Accounts) lockedUser(ctx context.Context, tx *change.Tx, id identity.ID) (identity.User, error) {
	if err := tx.LockUser(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return identity.User{}, err
	}
	return a.mustUser(ctx, tx, id)
}

func (a *Accounts) mustUser(ctx context.Context, tx *change.Tx, id identity.ID) (identity.User, error) {
	u, err := tx.UserByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return u.User, &identity.Error{Code: identity.CodeNotFound, Detail: "There is no such user."}
	}
	return u.User, err
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
