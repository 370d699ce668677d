package sessions

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Tickets takes sign-ins from the single sign-on host to other hosts.
type Tickets struct {
	Sessions *Sessions
	Tickets  session.Tickets
}

// Issue returns a ticket for a user who is signed in at the single sign-on host: one use, 30 s, one host, one browser
// (SE-05).
func (t *Tickets) Issue(ctx context.Context, p *identity.Principal, host string, flow [32]byte) (string, error) {
	user, ok := identity.ParseID(p.UserID)
	id, okSession := identity.ParseID(p.SessionID)
	if !ok || !okSession || p.Credential != identity.CredentialCookie {
		return "", change.ErrForeign
	}
	return t.Tickets.Issue(ctx, session.Ticket{Session: id, User: user, Host: host, Flow: flow})
}

// Drop consumes a ticket without redeeming it. An invalid code is no error.
func (t *Tickets) Drop(ctx context.Context, code string) error {
	_, _, err := t.Tickets.Redeem(ctx, code, "", [32]byte{})
	return err
}

// errTicket answers every ticket that does not work alike.
var errTicket = identity.Invalid("This sign-in took too long, or was begun in another browser. Open the app again.")

// SignIn starts a session on the ticket's host. It ends with the session it came from.
func (t *Tickets) SignIn(ctx context.Context, code, host string, flow [32]byte, by change.By) (Opened, error) {
	by.Principal = nil
	return t.Redeem(ctx, code, host, flow, by)
}

// Redeem brings what was proven at the single sign-on host to the session on this one, with a ticket (step-up across
// hosts). The ticket of another user or sign-in starts a session of its own, as SignIn does, and the previous session
// of the browser ends (SE-02).
func (t *Tickets) Redeem(ctx context.Context, code, host string, flow [32]byte, by change.By) (Opened, error) {
	ticket, ok, err := t.Tickets.Redeem(ctx, code, host, flow)
	if err != nil {
		return Opened{}, err
	}
	if !ok {
		return Opened{}, errTicket
	}
	var out Opened
	err = t.Sessions.Changes.Run(ctx, func(tx *change.Tx) error {
		parent, user, err := t.redeemed(ctx, tx, ticket)
		if err != nil {
			return err
		}
		here, ok, err := t.sessionHere(ctx, tx, by, host)
		switch {
		case err != nil:
			return err
		case ok && here.UserID == user.ID && here.Parent == parent.ID:
			out, err = t.stepUp(ctx, tx, by, here, parent, user)
			return err
		case ok:
			if err := revoke(ctx, tx, by, here.UserID, here.ID, "new_sign_in"); err != nil {
				return err
			}
		}
		out, err = t.open(ctx, tx, by, host, parent, user)
		return err
	})
	if err != nil {
		return Opened{}, err
	}
	return out, nil
}

// redeemed checks that the session a ticket came from is live, and that its user may sign in. The user's row is locked
// first: a session that is opened while the user signs out everywhere must not survive that.
func (t *Tickets) redeemed(ctx context.Context, tx *change.Tx,
	ticket session.Ticket) (store.Session, identity.User, error) {
	err := tx.LockUser(ctx, ticket.User)
	var parent store.Session
	if err == nil {
		parent, err = tx.SessionByID(ctx, ticket.Session)
	}
	if err == nil && (!parent.EndedAt.IsZero() || !t.Sessions.Changes.Now().Before(parent.Expires)) {
		err = store.ErrNotFound
	}
	var user store.UserRecord
	if err == nil {
		user, err = tx.UserByID(ctx, ticket.User)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil &&
		(user.Disabled || parent.Created.Before(user.NotBefore) || parent.UserID != user.ID) {
		return parent, user.User, errTicket
	}
	return parent, user.User, err
}

// sessionHere returns the live session of the browser that came with the ticket.
func (t *Tickets) sessionHere(ctx context.Context, tx *change.Tx, by change.By,
	host string) (store.Session, bool, error) {
	if by.Principal == nil || by.Principal.Credential != identity.CredentialCookie {
		return store.Session{}, false, nil
	}
	id, ok := identity.ParseID(by.Principal.SessionID)
	if !ok {
		return store.Session{}, false, nil
	}
	s, err := tx.SessionByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return s, false, nil
	}
	return s, err == nil && s.EndedAt.IsZero() && s.Host == host, err
}

// stepUp adds the proof of the single sign-on host's session to the session on this host.
func (t *Tickets) stepUp(ctx context.Context, tx *change.Tx, by change.By, here, parent store.Session,
	user identity.User) (Opened, error) {
	p := mergeProofs(here.Proof, parent.Proof)
	value, err := t.Sessions.Table.Rotate(ctx, tx, here, p)
	if err != nil {
		return Opened{}, err
	}
	here.Proof = p
	e := by.Event(audit.SessionRenewed, "success")
	e.Reason, e.Details = "step_up", map[string]string{"from": parent.ID.String()}
	tx.Record(e)
	tx.UserChanged(user.ID)
	return Opened{Secret: value, Session: here, User: user}, nil
}

// mergeProofs returns the later and the stronger of two proofs of one sign-in.
func mergeProofs(p, q identity.Proof) identity.Proof {
	later := func(a, b time.Time) time.Time {
		if a.After(b) {
			return a
		}
		return b
	}
	return identity.Proof{AuthTime: later(p.AuthTime, q.AuthTime), MFATime: later(p.MFATime, q.MFATime),
		PasskeyTime: later(p.PasskeyTime, q.PasskeyTime),
		AMR:         identity.AddAMR(p.AMR, q.AMR...), ACR: max(p.ACR, q.ACR)}
}

func (t *Tickets) open(ctx context.Context, tx *change.Tx, by change.By, host string, parent store.Session,
	user identity.User) (Opened, error) {
	out, err := t.Sessions.Start(ctx, tx, by, session.NewSession{User: user, Parent: parent.ID,
		Kind: session.Browser, Host: host, Proof: parent.Proof, Remember: parent.Remember, IP: by.IP, UserAgent: by.UserAgent,
		Until: parent.Expires})
	if err != nil {
		return Opened{}, err
	}
	e := by.Event(audit.SessionCreated, "success")
	e.Actor = audit.Actor{ID: user.ID.String(), Name: user.Username}
	e.Session, e.Details = out.Session.ID.String(), map[string]string{"from": parent.ID.String()}
	tx.Record(e)
	return out, nil
}
