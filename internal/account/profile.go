package account

import (
	"context"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Profile is what the account page shows.
type Profile struct {
	User     store.UserRecord
	Sessions int
}

// Profile reads somebody's own account.
func (a *Accounts) Profile(ctx context.Context, user identity.ID) (Profile, error) {
	record, err := a.Store.UserByID(ctx, user)
	if err != nil {
		return Profile{}, change.Gone(err)
	}
	list, err := a.ListSessions(ctx, user)
	return Profile{User: record, Sessions: len(list)}, err
}

// UpdateProfile changes one's own name and e-mail address. A managed account is CodeForbidden; a new address asks CheckFresh.
func (a *Accounts) UpdateProfile(ctx context.Context, by change.By, name, email string) error {
	user, _, err := a.Caller(ctx, by.Principal)
	if err != nil {
		return err
	}
	if user.Managed != "" {
		return &identity.Error{Code: identity.CodeForbidden, Detail: "This account is managed in a file. Ask whoever runs this site to change it."}
	}
	name, email = strings.TrimSpace(name), strings.TrimSpace(email)
	if !plainText(name, 128) {
		return &identity.Error{Code: identity.CodeInvalidRequest, Detail: "A name has at most 128 characters."}
	}
	if email != user.Email { // one can sign in with it
		if err := a.CheckFresh(ctx, by.Principal); err != nil {
			return err
		}
	}
	_, err = a.UpdateUser(ctx, by, user.ID, store.UserChange{Name: &name, Email: &email})
	return err
}

// Activity gives what happened to a person's account, newest first: rows before a sequence number (0: the newest).
func (a *Accounts) Activity(ctx context.Context, user identity.ID, before int64, limit int) ([]store.AuditRow, error) {
	rows, err := a.Store.ListAudit(ctx, store.AuditFilter{PersonID: user.String(), Before: before, Limit: limit})
	return rows, store.Unavailable(err)
}
