package people

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// NewUser is a user to be created. Without a password they cannot sign in until one is set.
type NewUser struct {
	Username, Email, Name string
	Roles                 []string
	Password              string
	PasswordHash          string // instead of Password, from an import: bcrypt or argon2id
	Disabled              bool
	Managed               string
}

// CreateUser checks and creates a user.
func (d *Directory) CreateUser(ctx context.Context, by change.By, in NewUser) (identity.User, error) {
	u, err := d.prepare(ctx, in)
	if err != nil {
		return identity.User{}, err
	}
	err = d.Changes.Run(ctx, func(tx *change.Tx) error {
		tx.Record(by.UserEvent(audit.UserCreated, u.User))
		return conflict(tx.CreateUser(ctx, u))
	})
	return u.User, err
}

// prepare checks everything that needs no database and hashes the password.
func (d *Directory) prepare(ctx context.Context, in NewUser) (store.NewUser, error) {
	u := store.NewUser{User: identity.User{ID: identity.NewID(), Email: strings.TrimSpace(in.Email),
		Name:     strings.TrimSpace(in.Name),
		Disabled: in.Disabled, Managed: in.Managed, Created: d.Changes.Now()}}
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
	if u.Roles, err = d.knownRoles(in.Roles); err != nil {
		return u, err
	}
	switch {
	case in.PasswordHash != "":
		if err := credential.CheckHash(in.PasswordHash); err != nil {
			return u, invalid("password_hash", err)
		}
		u.PasswordHash = in.PasswordHash
	case in.Password != "":
		u.PasswordHash, _, err = d.PasswordPolicy.Hash(ctx, d.Hasher, in.Password,
			credential.CheckContext{Username: u.Username, Email: u.Email})
	}
	return u, err
}

// UpdateUser changes a user. Taking away roles or disabling takes effect on the next request, on every node.
func (d *Directory) UpdateUser(ctx context.Context, by change.By, id identity.ID,
	c store.UserChange) (identity.User, error) {
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
	err := d.Changes.Run(ctx, func(tx *change.Tx) error {
		before, err := tx.LockedUser(ctx, id)
		if err != nil {
			return err
		}
		if c.Roles != nil {
			roles, err := d.knownRoles(*c.Roles, before.Roles...)
			if err != nil {
				return err
			}
			c.Roles = &roles
		}
		user, err = d.update(ctx, tx, by, before, c)
		return err
	})
	return user, err
}

// update writes a checked change and what follows from it.
func (d *Directory) update(ctx context.Context, tx *change.Tx, by change.By, before identity.User,
	c store.UserChange) (identity.User, error) {
	if losesAdmin(before, c) {
		if err := d.keepOneAdmin(ctx, tx, before.ID); err != nil {
			return before, err
		}
	}
	if err := conflict(tx.UpdateUser(ctx, before.ID, c)); err != nil {
		return before, err
	}
	now, err := tx.UserByID(ctx, before.ID)
	if err != nil {
		return before, err
	}
	tx.UserChanged(before.ID)
	return now.User, d.auditUpdate(ctx, tx, by, before, now.User)
}

func (d *Directory) auditUpdate(ctx context.Context, tx *change.Tx, by change.By, before, after identity.User) error {
	if !slices.Equal(before.Roles, after.Roles) {
		auditRoles(tx, by, before, after)
		if err := tx.WantRenewal(ctx, after.ID, session.Browser, d.Changes.Now()); err != nil { // SE-02
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

// auditRoles records a change of roles twice. OWASP's name for it is authz_change, with from and to, and that is what
// log analysis looks for. The other event says which roles were added and removed.
func auditRoles(tx *change.Tx, by change.By, before, after identity.User) {
	from, to := strings.Join(before.Roles, ","), strings.Join(after.Roles, ",")
	e := by.UserEvent(audit.AuthzChange, after)
	e.Details = map[string]string{"from": from, "to": to}
	tx.Record(e)
	e = by.UserEvent(audit.PrivilegeChanged, after)
	e.Details = map[string]string{"from": from, "to": to, "added": added(before.Roles, after.Roles),
		"removed": added(after.Roles, before.Roles)}
	tx.Record(e)
}

// DeleteUser removes a user; sessions and tokens end. The id is never used again.
func (d *Directory) DeleteUser(ctx context.Context, by change.By, id identity.ID) error {
	return d.Changes.Run(ctx, func(tx *change.Tx) error {
		user, err := tx.LockedUser(ctx, id)
		if err != nil {
			return err
		}
		if user.HasRole(identity.AdminRole) && !user.Disabled {
			if err := d.keepOneAdmin(ctx, tx, id); err != nil {
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

// losesAdmin reports whether the change removes admin rights.
func losesAdmin(before identity.User, c store.UserChange) bool {
	if !before.HasRole(identity.AdminRole) || before.Disabled {
		return false
	}
	return c.Disabled != nil && *c.Disabled || c.Roles != nil && !slices.Contains(*c.Roles, identity.AdminRole)
}

// keepOneAdmin refuses to remove the last administrator: nothing but the command line could make another.
func (d *Directory) keepOneAdmin(ctx context.Context, tx *change.Tx, leaving identity.ID) error {
	n, err := tx.CountOthersWithRole(ctx, identity.AdminRole, leaving)
	if err != nil {
		return err
	}
	if n == 0 {
		return identity.Conflict("This is the last administrator. Make another user one first.")
	}
	return nil
}

func invalid(field string, err error) error {
	return identity.Invalid(field + ": " + err.Error())
}

func conflict(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return identity.Conflict("This user name or e-mail address is taken.").Because(err)
	}
	return err
}
