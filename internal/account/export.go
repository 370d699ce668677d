package account

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Export is what is kept about a person, without secrets.
type Export struct {
	User     store.UserRecord
	TimeZone string
	Factors  store.Factors
	Passkeys []store.Passkey
	Sessions []store.Session
	Devices  []store.Device   // known browsers, trusted or not
	Requests []store.Decision // of late, what `policy diff` replays
	Activity []store.AuditRow
	// More: there is older activity than exportedEvents.
	More bool
}

// exportedEvents bounds the activity of an export, and so its size; what is older is in the audit log.
const exportedEvents = 10_000

// Export gives one's own data. It asks CheckFresh: it says more than any page, in one piece. That it was taken is audited
// first.
func (a *Accounts) Export(ctx context.Context, by change.By) (out Export, err error) {
	user, _, err := a.Caller(ctx, by.Principal)
	if err != nil {
		return out, err
	}
	if err := a.CheckFresh(ctx, by.Principal); err != nil {
		return out, err
	}
	if err := a.Run(ctx, func(tx *change.Tx) error {
		tx.Record(by.UserEvent(audit.UserExported, user.User))
		return nil
	}); err != nil {
		return out, err
	}
	out.User = user
	if out.TimeZone, err = a.TimeZone(ctx, user.ID); err != nil {
		return out, err
	}
	if out.Factors, err = a.Factors(ctx, user.ID, by.Host); err != nil {
		return out, err
	}
	if out.Passkeys, err = a.ListPasskeys(ctx, user.ID); err != nil {
		return out, err
	}
	if out.Sessions, err = a.ListSessions(ctx, user.ID); err != nil {
		return out, err
	}
	if out.Devices, err = a.Store.UserDevices(ctx, user.ID, a.Now()); err != nil {
		return out, store.Unavailable(err)
	}
	if out.Requests, err = a.Store.DecisionsOf(ctx, user.ID.String(), exportedEvents); err != nil {
		return out, store.Unavailable(err)
	}
	for before := int64(0); ; {
		rows, err := a.Activity(ctx, user.ID, before, 1000)
		if err != nil {
			return out, err
		}
		if len(rows) == 0 {
			return out, nil
		}
		if len(out.Activity)+len(rows) > exportedEvents {
			out.Activity, out.More = append(out.Activity, rows[:exportedEvents-len(out.Activity)]...), true
			return out, nil
		}
		out.Activity = append(out.Activity, rows...)
		before = rows[len(rows)-1].Seq
	}
}
