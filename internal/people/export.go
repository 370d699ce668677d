package people

import (
	"context"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Export is what is stored about a user, without secrets.
type Export struct {
	User     store.UserRecord
	TimeZone string
	Factors  store.Factors
	Passkeys []store.Passkey
	Sessions []store.Session
	Devices  []store.Device   // known browsers, trusted or not
	Requests []store.Decision // recent requests, which `policy diff` replays
	Activity []store.AuditRow
	// More: there is older activity than exportedEvents.
	More bool
}

// exportedEvents bounds the activity of an export, and so its size. Older activity is in the audit log.
const exportedEvents = 10_000

// Export returns the caller's own data. It requires CheckFresh, since it discloses more than any page. The export is
// audited first.
func (d *Directory) Export(ctx context.Context, by change.By) (out Export, err error) {
	user, _, err := d.Changes.Caller(ctx, by.Principal)
	if err != nil {
		return out, err
	}
	if err := d.Changes.CheckFresh(ctx, by.Principal); err != nil {
		return out, err
	}
	if err := d.Changes.Run(ctx, func(tx *change.Tx) error {
		tx.Record(by.UserEvent(audit.UserExported, user.User))
		return nil
	}); err != nil {
		return out, err
	}
	out.User = user
	if out.TimeZone, err = d.TimeZone(ctx, user.ID); err != nil {
		return out, err
	}
	if err := d.exportRows(ctx, by.Host, &out); err != nil {
		return out, store.Unavailable(err)
	}
	for before := int64(0); ; {
		rows, err := d.Activity(ctx, user.ID, before, 1000)
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

// exportRows reads the tables whose rows are exported as they are.
func (d *Directory) exportRows(ctx context.Context, host string, out *Export) (err error) {
	st, id, now := d.Changes.Store, out.User.ID, d.Changes.Now()
	if out.Factors, err = st.Factors(ctx, id, host, now); err != nil {
		return err
	}
	if out.Passkeys, err = st.Passkeys(ctx, id); err != nil {
		return err
	}
	if out.Sessions, err = st.ListSessions(ctx, id, now); err != nil {
		return err
	}
	if out.Devices, err = st.UserDevices(ctx, id, now); err != nil {
		return err
	}
	out.Requests, err = st.DecisionsOf(ctx, id.String(), exportedEvents)
	return err
}
