package change

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/mail"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/useragent"
)

// noticeLimit keeps an attacker who plays with an account from filling its owner's mailbox.
var noticeLimit = store.MailLimit{Most: 20, In: time.Hour}

// noticeRule says which event its user is notified of by mail.
type noticeRule struct {
	event string
	only  func(audit.Event) bool // nil: each that succeeded
	kind  string
	quiet time.Duration // not sent again within so long; 0: each time
	minor bool          // not sent when the same change calls for another notice
}

// noticeRules are all of them (MF-11, PW-10).
var noticeRules = []noticeRule{
	{event: audit.AuthnPasswordChange, kind: mail.PasswordChanged},
	{event: audit.AuthnMFAEnabled, kind: mail.FactorAdded},
	{event: audit.AuthnMFAChanged, kind: mail.FactorReplaced, only: detailIs("factor", identity.MethodTOTP)},
	{event: audit.AuthnMFARemoved, kind: mail.FactorRemoved},
	{event: audit.AuthnMFAReset, kind: mail.FactorsReset},
	{event: audit.RecoveryUsed, kind: mail.RecoveryUsed},
	{event: audit.RecoveryRenewed, kind: mail.RecoveryRenewed},
	{event: audit.PasskeySuspect, kind: mail.PasskeySuspect, only: func(audit.Event) bool { return true }},
	{event: audit.DeviceTrusted, kind: mail.DeviceTrusted},
	{event: audit.UserUpdated, kind: mail.AddressChanged},
	{event: audit.AuthnLoginSuccess, kind: mail.NewBrowser, only: detailIs(NewDevice, "yes"), minor: true},
	// The failure that reaches the hard ceiling (LK-01), and no other: a stranger could send mails at will, and each
	// failure would write more for existing users than for others (PW-16).
	{event: audit.AuthnLoginFail, kind: mail.Locked, only: atCeiling, quiet: 24 * time.Hour},
	{event: audit.AuthnMFAFail, kind: mail.Locked, only: atCeiling, quiet: 24 * time.Hour},
}

// Details of audit events, with the value "yes", that call for a notice.
const (
	CeilingReached = "ceiling_reached" // the failure after which only known browsers may try
	NewDevice      = "new_device"      // a sign-in from a browser that was not known
)

func atCeiling(e audit.Event) bool { return e.Details[CeilingReached] == "yes" }

func detailIs(name, value string) func(audit.Event) bool {
	return func(e audit.Event) bool { return e.Outcome == "success" && e.Details[name] == value }
}

func (r noticeRule) matches(e audit.Event) bool {
	if r.event != e.Event {
		return false
	}
	if r.only == nil {
		return e.Outcome == "success"
	}
	return r.only(e)
}

// notice is an event that a user is notified of.
type notice struct {
	noticeRule
	user  identity.ID
	event audit.Event
}

// noticesOf returns the notices that events call for: to the subject of an event, or to its actor.
func noticesOf(events []audit.Event) []notice {
	var out []notice
	for _, e := range events {
		subject := e.Subject.ID
		if subject == "" {
			subject = e.Actor.ID
		}
		id, ok := identity.ParseID(subject)
		if !ok {
			continue
		}
		for _, r := range noticeRules {
			if r.matches(e) {
				out = append(out, notice{r, id, e})
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(out), func(n notice) bool {
		return n.minor && slices.ContainsFunc(out, func(o notice) bool { return o.user == n.user && !o.minor })
	})
}

// queueNotices writes the mails of a change in its transaction, so that neither is without the other. Users without an
// address get none, nor do disabled ones.
func (tx *Tx) queueNotices(ctx context.Context) error {
	if tx.changes.OnMailQueued == nil {
		return nil
	}
	for _, n := range noticesOf(tx.events) {
		user, err := tx.UserByID(ctx, n.user)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		to := user.Email
		if n.kind == mail.AddressChanged {
			to = formerAddress(tx.former, n.user)
		}
		if user.Disabled || to == "" {
			continue
		}
		if err := tx.queueNotice(ctx, n, user.User, to); err != nil {
			return err
		}
	}
	return nil
}

func formerAddress(former []identity.User, user identity.ID) string {
	for _, u := range former {
		if u.ID == user {
			return u.Email
		}
	}
	return ""
}

func (tx *Tx) queueNotice(ctx context.Context, n notice, user identity.User, to string) error {
	now := tx.changes.Now()
	facts := mail.Facts{Account: user.Username, At: now, Address: n.event.IP, Host: n.event.Host,
		Factor: n.event.Details["factor"]}
	facts.Browser, facts.System = useragent.Of(n.event.UserAgent)
	if n.kind == mail.Locked {
		facts.Factor = n.event.Details["method"]
	}
	// An administrator's address and browser must not be disclosed to the user. A failed sign-in has no actor.
	facts.Other = n.event.Actor != (audit.Actor{}) && n.event.Actor.ID != user.ID.String()
	text, err := facts.Encode()
	if err != nil {
		return err
	}
	limit := noticeLimit
	limit.Quiet = n.quiet
	kept, err := tx.AddMail(ctx, store.Mail{ID: identity.NewID(), UserID: user.ID, Kind: n.kind, To: to, Facts: text,
		Created: now}, limit)
	switch {
	case err != nil:
		return err
	case kept:
		tx.AfterCommit(tx.changes.OnMailQueued)
	case n.quiet == 0:
		tx.AfterCommit(func() {
			tx.changes.Logger.Warn("a security notice was dropped: its user has had too many within the hour", "user",
				user.ID.String(), "notice", n.kind)
		})
	}
	return nil
}
