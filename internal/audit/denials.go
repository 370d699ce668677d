package audit

import (
	"cmp"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const (
	// denialQuiet is how long denials of one kind are counted before the next row.
	denialQuiet = time.Minute
	// maxDenials bounds the kinds that are counted apart.
	maxDenials = 1024
	// settleEvery is how often new kinds make room for themselves once there are maxDenials: it looks through all of
	// them.
	settleEvery = time.Second
)

// Denial is a kind of refusal: the same event ("" is authz_fail), the same user, the same site or page, the same reason
// and rule. Anonymous requests are one user: a stranger has as many addresses and host names as he likes, and must not
// fill the log with them (R14).
type Denial struct{ Event, User, Site, Reason, Rule string }

// denials counts what is not written.
type denials struct {
	mu    sync.Mutex
	kinds map[Denial]*denied
	timer *time.Timer // nil: nothing is counted

	settled time.Time // when kinds were last looked through
}

type denied struct {
	since     time.Time
	reference string
	outcome   string // "": the row's event is still being made
	actor     Actor
	subject   Subject
	host      string
	more      int // since the row
}

// Deny takes a refusal and returns a reference. The event is made only if it is written, and without a lock, since its
// trace takes a while. The first of its kind becomes a row at once. Those of the next minute are counted: they get the
// reference of that row, and their number is in the kind's next row, or in a row of its own as `suppressed`. So a
// request that is repeated a million times leaves a few rows, and none is missing from the sum.
func (l *Log) Deny(kind Denial, event func() Event) string {
	reference, counted, row := l.countDenial(kind)
	if counted {
		return reference
	}
	e := event()
	e.Reference = reference
	if row.suppressed > 0 {
		if e.Details = maps.Clone(e.Details); e.Details == nil {
			e.Details = map[string]string{}
		}
		e.Details["suppressed"] = strconv.Itoa(row.suppressed)
	}
	l.denials.describe(row.kind, &e)
	return l.Note(e)
}

// denialRow is a row that is to be written.
type denialRow struct {
	kind       Denial
	suppressed int // refusals since the kind's last row
}

// countDenial counts a refusal with the row of its kind, whose reference it returns, or begins a new row.
func (l *Log) countDenial(kind Denial) (reference string, counted bool, row denialRow) {
	d := &l.denials
	now := l.cfg.Now()
	var over []Event
	defer func() { l.noteAll(over) }() // after the lock is released
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kinds[kind] == nil && len(d.kinds) >= maxDenials {
		if now.Sub(d.settled).Abs() >= settleEvery {
			over = d.settle(now, false)
		}
		if len(d.kinds) >= maxDenials {
			kind = Denial{Event: kind.Event, Reason: kind.Reason} // all further ones together
		}
	}
	k := d.kinds[kind]
	if k != nil && now.Sub(k.since).Abs() < denialQuiet {
		k.more++
		if d.timer == nil {
			d.timer = time.AfterFunc(denialQuiet, l.settleLater)
		}
		return k.reference, true, row
	}
	kind = kind.clone()
	if k == nil {
		if d.kinds == nil {
			d.kinds = map[Denial]*denied{}
		}
		k = &denied{}
		d.kinds[kind] = k
	} else {
		row.suppressed = k.more
	}
	*k = denied{since: now, reference: identity.NewReference()}
	row.kind = kind
	return k.reference, false, row
}

// describe keeps whose refusal a row is, for the row of those that are only counted.
func (d *denials) describe(kind Denial, e *Event) {
	actor := Actor{ID: strings.Clone(e.Actor.ID), Name: strings.Clone(e.Actor.Name)}
	subject := Subject{ID: strings.Clone(e.Subject.ID), Name: strings.Clone(e.Subject.Name)}
	host := strings.Clone(e.Host[:min(len(e.Host), maxText)])
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.kinds[kind]; k != nil && k.reference == e.Reference {
		k.outcome, k.actor, k.subject, k.host = e.Outcome, actor, subject, host
	}
}

func (k Denial) clone() Denial {
	return Denial{strings.Clone(k.Event), strings.Clone(k.User), strings.Clone(k.Site), strings.Clone(k.Reason),
		strings.Clone(k.Rule)}
}

func (l *Log) noteAll(events []Event) {
	for _, e := range events {
		l.Note(e)
	}
}

func (l *Log) settleLater() {
	d := &l.denials
	d.mu.Lock()
	d.timer = nil
	over := d.settle(l.cfg.Now(), false)
	if len(d.kinds) > 0 && !l.closed.Load() {
		d.timer = time.AfterFunc(denialQuiet, l.settleLater)
	}
	d.mu.Unlock()
	l.noteAll(over)
}

// settle removes kinds whose minute is over, or all, and returns the events of their counts. The caller has locked d.
func (d *denials) settle(now time.Time, all bool) (over []Event) {
	d.settled = now
	for kind, k := range d.kinds {
		if !all && now.Sub(k.since).Abs() < denialQuiet {
			continue
		}
		if k.more > 0 {
			e := Event{Event: cmp.Or(kind.Event, AuthzFail), Outcome: cmp.Or(k.outcome, "deny"), Actor: k.actor,
				Subject: k.subject,
				Host:    k.host, Reason: kind.Reason, Details: map[string]string{"suppressed": strconv.Itoa(k.more),
					"first": k.reference}}
			if e.Event == AuthzFail {
				e.Details["rule"] = kind.Rule
			}
			over = append(over, e)
		}
		delete(d.kinds, kind)
	}
	return over
}

// settleAll writes every count, before the log closes.
func (l *Log) settleAll() {
	d := &l.denials
	d.mu.Lock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	over := d.settle(l.cfg.Now(), true)
	d.mu.Unlock()
	l.noteAll(over)
}
