package account

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

// noticeLimit keeps whoever plays with an account from filling its owner's mailbox.
var noticeLimit = store.MailLimit{Most: 20, In: time.Hour}

// noticeRule says which event a person is told of by mail.
type noticeRule struct {
	event string
	only  func(audit.Event) bool // nil: each that succeeded
	kind  string
	quiet time.Duration // not told again within so long; 0: each time
	minor bool          // not told when the same change tells of something else
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
	{event: audit.AuthnLoginSuccess, kind: mail.NewBrowser, only: detailIs(newDevice, "yes"), minor: true},
	// The failure that reaches the hard ceiling (LK-01), and no other: a stranger could send mails at will, and each failure
	// would write more for those who exist than for those who do not (PW-16).
	{event: audit.AuthnLoginFail, kind: mail.Locked, only: atCeiling, quiet: 24 * time.Hour},
	{event: audit.AuthnMFAFail, kind: mail.Locked, only: atCeiling, quiet: 24 * time.Hour},
}

// ceilingReached is the detail of the failure after which only known browsers may try.
const ceilingReached = "ceiling_reached"

func atCeiling(e audit.Event) bool { return e.Details[ceilingReached] == "yes" }

// reachingCeiling notes on a failure that it is the last that anybody was free to make.
func reachingCeiling(e audit.Event, failures int) audit.Event {
	if failures == ceiling {
		if e.Details == nil {
			e.Details = map[string]string{}
		}
		e.Details[ceilingReached] = "yes"
	}
	return e
}

// newDevice is the detail of a sign-in from a browser that was not known.
const newDevice = "new_device"

func detailIs(name, value string) func(audit.Event) bool {
	return func(e audit.Event) bool { return e.Outcome == "success" && e.Details[name] == value }
}

func (r noticeRule) tells(e audit.Event) bool {
	if r.event != e.Event {
		return false
	}
	if r.only == nil {
		return e.Outcome == "success"
	}
	return r.only(e)
}

// notice is an event that somebody is told of.
type notice struct {
	noticeRule
	person identity.ID
	event  audit.Event
}

// noticesOf picks what people are told of: the subject of an event, or who did it.
func noticesOf(events []audit.Event) []notice {
	var out []notice
	for _, e := range events {
		person := e.Subject.ID
		if person == "" {
			person = e.Actor.ID
		}
		id, ok := identity.ParseID(person)
		if !ok {
			continue
		}
		for _, r := range noticeRules {
			if r.tells(e) {
				out = append(out, notice{r, id, e})
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(out), func(n notice) bool {
		return n.minor && slices.ContainsFunc(out, func(o notice) bool { return o.person == n.person && !o.minor })
	})
}

// leaves notes the address that a person had before a change: the notice of the change goes there.
func (o *effects) leaves(before, after identity.User) {
	if before.Email != after.Email {
		o.left = append(o.left, before)
	}
}

// queueNotices writes the mails of a change in its transaction, so that neither is without the other. Nobody without
// an address gets any, nor somebody who is disabled.
func (a *Accounts) queueNotices(ctx context.Context, tx *store.Tx, out *effects) error {
	if a.MailWaits == nil {
		return nil
	}
	for _, n := range noticesOf(out.events) {
		user, err := tx.UserByID(ctx, n.person)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		to := user.Email
		if n.kind == mail.AddressChanged {
			to = formerAddress(out.left, n.person)
		}
		if user.Disabled || to == "" {
			continue
		}
		if err := a.queueNotice(ctx, tx, n, user.User, to); err != nil {
			return err
		}
	}
	return nil
}

func formerAddress(left []identity.User, person identity.ID) string {
	for _, u := range left {
		if u.ID == person {
			return u.Email
		}
	}
	return ""
}

func (a *Accounts) queueNotice(ctx context.Context, tx *store.Tx, n notice, user identity.User, to string) error {
	now := a.Now()
	facts := mail.Facts{Account: user.Username, At: now, Address: n.event.IP, Host: n.event.Host, Factor: n.event.Details["factor"]}
	facts.Browser, facts.System = useragent.Of(n.event.UserAgent)
	if n.kind == mail.Locked {
		facts.Factor = n.event.Details["method"]
	}
	// An administrator's address and browser are not the person's business. Whoever tries passwords is nobody yet.
	facts.Other = n.event.Actor != (audit.Actor{}) && n.event.Actor.ID != user.ID.String()
	text, err := facts.Encode()
	if err != nil {
		return err
	}
	limit := noticeLimit
	limit.Quiet = n.quiet
	kept, err := tx.AddMail(ctx, store.Mail{ID: identity.NewID(), UserID: user.ID, Kind: n.kind, To: to, Facts: text, Created: now}, limit)
	switch {
	case err != nil:
		return err
	case kept:
		tx.AfterCommit(a.MailWaits)
	case n.quiet == 0:
		tx.AfterCommit(func() {
			a.Logger.Warn("a security notice was dropped: its person has had too many within the hour", "user", user.ID.String(), "notice", n.kind)
		})
	}
	return nil
}
