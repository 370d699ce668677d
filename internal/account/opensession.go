package account

import (
	"context"
	"errors"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// opening is a sign-in of which every step is done.
type opening struct {
	user     identity.User
	kind     string
	remember bool
	proof    store.Proof
	method   string // the last step, for the log
	by       change.By

	device *store.Device // the known browser; nil: none
	cookie string        // value of its cookie
	trust  bool          // ask this browser for no second factor for TrustLife
}

// open starts the session in the caller's transaction.
func (a *Accounts) open(ctx context.Context, tx *change.Tx, o opening) (SignedIn, error) {
	out := SignedIn{User: o.user}
	value, s, ended, err := a.Sessions.Start(ctx, tx, session.NewSession{User: o.user, Kind: o.kind, Host: o.by.Host, Proof: o.proof, Remember: o.remember,
		IP: o.by.IP, UserAgent: o.by.UserAgent})
	if err != nil {
		return out, err
	}
	out.Secret, out.Session = value, s
	for _, id := range ended {
		if err := tx.RevokeSession(ctx, id, "session_limit"); err != nil {
			return out, err
		}
	}
	details := map[string]string{"kind": o.kind, "method": o.method}
	if o.kind == session.Browser {
		if out.Device, err = a.rememberDevice(ctx, tx, o, s.ID); err != nil {
			return out, err
		}
		if out.Device != o.cookie {
			details[change.NewDevice] = "yes"
		}
	}
	e := o.by.Event(audit.AuthnLoginSuccess, "success")
	e.Actor = audit.Actor{ID: o.user.ID.String(), Name: o.user.Username}
	e.Session = s.ID.String()
	e.Details = details
	tx.Record(e)
	return out, nil
}

// rememberDevice notes the browser as known, and as trusted where its owner wants that (MF-22).
func (a *Accounts) rememberDevice(ctx context.Context, tx *change.Tx, o opening, started identity.ID) (string, error) {
	now := a.Now()
	value, id := o.cookie, identity.ID{}
	known := o.device != nil
	if known {
		id = o.device.ID
		err := tx.TouchDevice(ctx, id, now, now.Add(DeviceLife))
		if known = !errors.Is(err, store.ErrNotFound); known && err != nil { // forgotten meanwhile: it becomes a new one
			return "", err
		}
	}
	if !known {
		fresh, hash := secret.NewSessionSecret()
		value, id = fresh, identity.NewID()
		if err := tx.CreateDevice(ctx, store.Device{ID: id, Hash: hash, UserID: o.user.ID, Created: now, LastUsed: now, Expires: now.Add(DeviceLife),
			UserAgent: o.by.UserAgent}); err != nil {
			return "", err
		}
	}
	if !o.trust {
		return value, nil
	}
	e := o.by.UserEvent(audit.DeviceTrusted, o.user)
	e.Actor, e.Session = audit.Actor{ID: o.user.ID.String(), Name: o.user.Username}, started.String()
	tx.Record(e)
	return value, tx.TrustDevice(ctx, o.user.ID, id, now.Add(TrustLife))
}

// hold keeps everybody else from changing a person until the transaction ends, and reads them anew: what was checked
// before counts only if they still may sign in and have the same password. ErrNotFound when not.
func (a *Accounts) hold(ctx context.Context, tx *change.Tx, was store.UserRecord) (store.UserRecord, error) {
	if err := tx.LockUser(ctx, was.ID); err != nil {
		return was, err
	}
	now, err := tx.UserByID(ctx, was.ID)
	if err == nil && (now.Disabled || !now.PasswordChanged.Equal(was.PasswordChanged)) {
		err = store.ErrNotFound
	}
	return now, err
}
