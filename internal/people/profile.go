package people

import (
	"context"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Profile is what the account page shows.
type Profile struct {
	User     store.UserRecord
	Sessions int
}

// Profile returns a user's own account.
func (d *Directory) Profile(ctx context.Context, user identity.ID) (Profile, error) {
	record, err := d.Changes.Store.UserByID(ctx, user)
	if err != nil {
		return Profile{}, change.Gone(err)
	}
	list, err := d.Changes.Store.ListSessions(ctx, user, d.Changes.Now())
	return Profile{User: record, Sessions: len(list)}, store.Unavailable(err)
}

// UpdateProfile changes the caller's name and e-mail address. A managed account is CodeForbidden; a new address asks
// CheckFresh.
func (d *Directory) UpdateProfile(ctx context.Context, by change.By, name, email string) error {
	user, _, err := d.Changes.Caller(ctx, by.Principal)
	if err != nil {
		return err
	}
	if user.Managed != "" {
		return identity.Refuse(identity.CodeForbidden,
			"This account is managed in a file. Ask whoever runs this site to change it.")
	}
	name, email = strings.TrimSpace(name), strings.TrimSpace(email)
	if !credential.PlainText(name, 128) {
		return identity.Invalid("A name has at most 128 characters.")
	}
	if email != user.Email { // it can be used to sign in
		if err := d.Changes.CheckFresh(ctx, by.Principal); err != nil {
			return err
		}
	}
	_, err = d.UpdateUser(ctx, by, user.ID, store.UserChange{Name: &name, Email: &email})
	return err
}

// Activity returns the audit events of a user's account, newest first: rows before a sequence number (0: the newest).
// Of the two events of a change of roles it has the one that says more.
func (d *Directory) Activity(ctx context.Context, user identity.ID, before int64, limit int) ([]store.AuditRow, error) {
	rows, err := d.Changes.Store.ListAudit(ctx, store.AuditFilter{PersonID: user.String(), Except: audit.AuthzChange,
		Before: before, Limit: limit})
	return rows, store.Unavailable(err)
}
