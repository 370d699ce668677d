package signin

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Sessions starts, lists and ends sessions.
type Sessions struct {
	changes *change.Changes
	table   SessionTable
	devices *Devices
}

// completedSignIn is a sign-in of which every step is done.
type completedSignIn struct {
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
func (ss *Sessions) open(ctx context.Context, tx *change.Tx, o completedSignIn) (SignedIn, error) {
	out := SignedIn{User: o.user}
	value, s, ended, err := ss.table.Start(ctx, tx,
		session.NewSession{User: o.user, Kind: o.kind, Host: o.by.Host, Proof: o.proof, Remember: o.remember,
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
		if out.Device, err = ss.devices.remember(ctx, tx, o, s.ID); err != nil {
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

// rotate writes the proof of a session. A cookie gets a new secret (SE-02). The session of a bearer token has no secret
// that a client holds; its tokens carry the new proof from the next refresh on.
func (ss *Sessions) rotate(ctx context.Context, tx *change.Tx, by change.By, s store.Session,
	p store.Proof) (cookie string, err error) {
	if by.Principal.Credential == identity.CredentialCookie {
		return ss.table.Rotate(ctx, tx, s, p)
	}
	won, err := tx.RotateSession(ctx, s.ID, s.SecretHash, s.SecretHash, p)
	if err == nil && !won {
		err = change.Gone(store.ErrNotFound)
	}
	return "", err
}
