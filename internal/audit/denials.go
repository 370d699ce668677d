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
)

// Denial is a kind of refusal: the same event ("" is authz_fail), the same user, the same site or page, the same reason and rule. Anonymous requests are one user:
// a stranger has as many addresses and host names as he likes, and must not fill the log with them (R14).
type Denial struct{ Event, User, Site, Reason, Rule string }

// denials counts what is not written.
type denials struct {
	mu    sync.Mutex
	kinds map[Denial]*denied
	timer *time.Timer // nil: nothing is counted
}

type denied struct {
	since     time.Time
	reference string
	outcome   string
	actor     Actor
	subject   Subject
	host      string
	more      int // since the row
}

// Deny takes the event of a refusal, which is made only if it is written, and returns a reference. The first of its kind becomes a row at once. Those of the next
// minute are counted: they get the reference of that row, and their number is in the kind's next row, or in a row of its own
// as `suppressed`. So whoever repeats a request a million times leaves a few rows, and none is missing from the sum.
func (l *Log) Deny(kind Denial, event func() Event) string {
	d := &l.denials
	now := l.cfg.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kinds[kind] == nil && len(d.kinds) >= maxDenials {
		if l.settle(now, false); len(d.kinds) >= maxDenials {
			kind = Denial{Event: kind.Event, Reason: kind.Reason} // all further ones together
		}
	}
	k := d.kinds[kind]
	if k != nil && now.Sub(k.since).Abs() < denialQuiet {
		k.more++
		if d.timer == nil {
			d.timer = time.AfterFunc(denialQuiet, l.settleLater)
		}
		return k.reference
	}
	e := event()
	if k == nil {
		if d.kinds == nil {
			d.kinds = map[Denial]*denied{}
		}
		k = &denied{}
		d.kinds[kind.clone()] = k
	} else if k.more > 0 {
		if e.Details = maps.Clone(e.Details); e.Details == nil {
			e.Details = map[string]string{}
		}
		e.Details["suppressed"] = strconv.Itoa(k.more)
	}
	e.Reference = identity.NewReference()
	*k = denied{since: now, reference: e.Reference, outcome: e.Outcome, actor: Actor{ID: strings.Clone(e.Actor.ID), Name: strings.Clone(e.Actor.Name)},
		subject: Subject{ID: strings.Clone(e.Subject.ID), Name: strings.Clone(e.Subject.Name)}, host: strings.Clone(e.Host[:min(len(e.Host), maxText)])}
	return l.Note(e)
}

func (k Denial) clone() Denial {
	return Denial{strings.Clone(k.Event), strings.Clone(k.User), strings.Clone(k.Site), strings.Clone(k.Reason), strings.Clone(k.Rule)}
}

func (l *Log) settleLater() {
	d := &l.denials
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timer = nil
	if l.settle(l.cfg.Now(), false); len(d.kinds) > 0 && !l.closed.Load() {
		d.timer = time.AfterFunc(denialQuiet, l.settleLater)
	}
}

// settle writes the counts of kinds whose minute is over, or of all, and forgets them. The caller has locked denials.
func (l *Log) settle(now time.Time, all bool) {
	for kind, k := range l.denials.kinds {
		if !all && now.Sub(k.since).Abs() < denialQuiet {
			continue
		}
		if k.more > 0 {
			e := Event{Event: cmp.Or(kind.Event, AuthzFail), Outcome: k.outcome, Actor: k.actor, Subject: k.subject, Host: k.host, Reason: kind.Reason,
				Details: map[string]string{"suppressed": strconv.Itoa(k.more), "first": k.reference}}
			if e.Event == AuthzFail {
				e.Details["rule"] = kind.Rule
			}
			l.Note(e)
		}
		delete(l.denials.kinds, kind)
	}
}

// settleAll writes every count, before the log closes.
func (l *Log) settleAll() {
	d := &l.denials
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	l.settle(l.cfg.Now(), true)
}
