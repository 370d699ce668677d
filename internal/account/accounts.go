// Package account is what can be done to people, their sessions and their tokens: sign in, sign out, revoke, create,
// disable, set up the first administrator. Pages, API and command line call the same functions. Each change, its
// audit record and its revocations are one transaction (R9); other nodes are told after the commit (R4).
package account

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/revocation/feed"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// Accounts acts on people and their sessions.
type Accounts struct {
	Store     *store.Store
	Cluster   cluster.Cluster
	Sessions  *session.Table
	Feed      *feed.Feed
	Hasher    *credential.Hasher
	Passwords credential.Policy
	Guard     *ratelimit.Guard
	Audit     *audit.Log
	Ring      *token.Ring
	Issuer    *token.Issuer
	Verifier  *token.Verifier
	Refresher *token.Refresher
	Metrics   Metrics
	Logger    *slog.Logger
	Now       func() time.Time

	// MailWaits is called when notices by mail wait to be sent. nil: there is no mail server, and none are written.
	MailWaits func()

	// Roles gives the roles that policies define at this moment; nil, or a nil model: none, so any name is a role.
	Roles func() *policy.RoleModel
	// MFA says who must have a second factor.
	MFA MFARule
	// Box seals authenticator secrets and codes that are being shown; Keyed keys the hashes of recovery codes, at least 32
	// bytes and the same on all nodes.
	Box   *secret.Box
	Keyed []byte
	// Brand is the issuer that authenticator apps show.
	Brand string
	// Origins lists the origins of a folded host, such as "https://app.example.com", for passkeys: one for each port at which
	// browsers reach it. None for hosts that the configuration does not name.
	Origins func(host string) []string

	// Lifetimes that revocations must outlive.
	AccessLifetime  time.Duration
	RefreshLifetime time.Duration
	LongestSession  time.Duration
}

// Metrics counts what happens to accounts.
type Metrics interface {
	Login(method, outcome string)
	Revocation(kind string)
	RateLimited(limit string)
}

// leeway is how much the clocks of nodes and clients may differ (JW-08).
const leeway = time.Minute

// By says who does something, and from where; it goes into the audit log.
type By struct {
	Principal *identity.Principal // nil: an anonymous visitor or the command line
	Via       string              // "cli" for the command line, "users_file", "setup", "environment"; "" for a person
	IP        string
	UserAgent string
	Host      string
}

func (b By) event(name, outcome string) audit.Event {
	e := audit.Event{Event: name, Outcome: outcome, IP: b.IP, UserAgent: b.UserAgent, Host: b.Host}
	if p := b.Principal; p != nil {
		e.Actor = audit.Actor{ID: p.UserID, Name: p.Username}
		e.Session = p.SessionID
	} else if b.Via != "" {
		e.Actor = audit.Actor{Name: b.Via}
	}
	return e
}

// change runs one transaction, then publishes what it changed to this node and the others. The revocations are durable
// before that; when the others cannot be reached the caller gets an error, and the feed tries again (FAULTS 8).
func (a *Accounts) change(ctx context.Context, do func(tx *store.Tx, out *effects) error) error {
	var out effects
	err := a.Store.Tx(ctx, func(tx *store.Tx) error {
		out = effects{}
		if err := do(tx, &out); err != nil {
			return err
		}
		for _, r := range out.revoked {
			if err := tx.AddRevocation(ctx, r); err != nil {
				return err
			}
		}
		if err := a.queueNotices(ctx, tx, &out); err != nil {
			return err
		}
		for _, e := range out.events {
			if _, err := a.Audit.Within(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return unavailable(err)
	}
	for _, r := range out.revoked {
		a.Metrics.Revocation(r.Kind.String())
	}
	return a.Feed.Publish(ctx, feed.News{Revoked: out.revoked, Users: out.changed})
}

// effects is what a change leads to beyond its own rows.
type effects struct {
	revoked []store.Revocation
	changed []identity.ID // users whose row or roles changed
	events  []audit.Event
	left    []identity.User // as they were, of those who have another e-mail address now
}

func (o *effects) audit(e audit.Event) { o.events = append(o.events, e) }

// revokeSession ends everything that hangs on a session.
func (a *Accounts) revokeSession(ctx context.Context, tx *store.Tx, out *effects, id identity.ID, reason string) error {
	now := a.Now()
	if err := tx.RevokeFamiliesOfSession(ctx, id, reason, now); err != nil {
		return err
	}
	if _, err := tx.EndSession(ctx, id, reason, now); err != nil {
		return err
	}
	out.revoked = append(out.revoked, a.sessionRevocation(id, now, reason))
	return nil
}

func (a *Accounts) sessionRevocation(id identity.ID, now time.Time, reason string) store.Revocation {
	keep := max(a.LongestSession, a.RefreshLifetime) + a.AccessLifetime + leeway
	return store.Revocation{Kind: identity.RevokeSession, Name: id.String(), At: now, Expires: now.Add(keep), Reason: reason}
}

// revokeUser ends every session, refresh family and token of a user made before now, except one session.
func (a *Accounts) revokeUser(ctx context.Context, tx *store.Tx, out *effects, user, except identity.ID, reason string) error {
	now := a.Now()
	ended, err := tx.EndUserSessions(ctx, user, except, reason, now)
	if err != nil {
		return err
	}
	for _, id := range ended {
		if err := tx.RevokeFamiliesOfSession(ctx, id, reason, now); err != nil {
			return err
		}
		out.revoked = append(out.revoked, a.sessionRevocation(id, now, reason))
	}
	if !except.IsZero() {
		return nil // the session that stays keeps its tokens; all others end with their sessions
	}
	if err := tx.SetNotBefore(ctx, user, now); err != nil {
		return err
	}
	keep := max(a.LongestSession, a.RefreshLifetime) + a.AccessLifetime + leeway
	out.revoked = append(out.revoked, store.Revocation{Kind: identity.RevokeUser, Name: user.String(), At: now, Expires: now.Add(keep), Reason: reason})
	return nil
}

// unavailable turns a database that does not answer into 503; errors with a code stay as they are.
func unavailable(err error) error {
	var known *identity.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return &identity.Error{Code: identity.CodeStateUnavailable, RetryAfter: 2 * time.Second, Err: err}
	}
	return err
}
