package signin

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// opener opens the session of a sign-in of which every step is done.
type opener struct {
	sessions *sessions.Sessions
	devices  *Devices
}

// completedSignIn is a sign-in of which every step is done.
type completedSignIn struct {
	user     identity.User
	kind     string
	remember bool
	proof    identity.Proof
	method   string // the last step, for the log
	by       change.By

	device *store.Device // the known browser; nil: none
	cookie string        // value of its cookie
	trust  bool          // ask this browser for no second factor for TrustLife
}

// open starts the session in the caller's transaction.
func (op *opener) open(ctx context.Context, tx *change.Tx, o completedSignIn) (SignedIn, error) {
	opened, err := op.sessions.Start(ctx, tx, o.by, session.NewSession{User: o.user, Kind: o.kind,
		Host: o.by.Host, Proof: o.proof, Remember: o.remember, IP: o.by.IP, UserAgent: o.by.UserAgent})
	if err != nil {
		return SignedIn{}, err
	}
	out, id := SignedIn{Opened: opened}, opened.Session.ID
	details := map[string]string{"kind": o.kind, "method": o.method}
	if o.kind == session.Browser {
		if out.Device, err = op.devices.remember(ctx, tx, o, id); err != nil {
			return out, err
		}
		if out.Device != o.cookie {
			details[change.NewDevice] = "yes"
		}
	}
	e := o.by.Event(audit.AuthnLoginSuccess, "success")
	e.Actor = audit.Actor{ID: o.user.ID.String(), Name: o.user.Username}
	e.Session = id.String()
	e.Details = details
	tx.Record(e)
	return out, nil
}

// lockAndReload locks a user until the transaction ends, and reads them anew: what was checked before counts only if
// they may still sign in and have the same password. Otherwise the error is store.ErrNotFound.
func lockAndReload(ctx context.Context, tx *change.Tx, was store.UserRecord) (store.UserRecord, error) {
	if err := tx.LockUser(ctx, was.ID); err != nil {
		return was, err
	}
	now, err := tx.UserByID(ctx, was.ID)
	if err == nil && (now.Disabled || !now.PasswordChanged.Equal(was.PasswordChanged)) {
		err = store.ErrNotFound
	}
	return now, err
}
