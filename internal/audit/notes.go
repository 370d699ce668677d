package audit

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

const (
	// noteQueue bounds the events that wait to be written while no caller waits for them.
	noteQueue = 4096
	// noteBatch is how many are written in one transaction, which holds the head of the chain.
	noteBatch = 64
	// retryTime is between tries while the database is away.
	retryTime = 500 * time.Millisecond
)

// Note accepts an event that no caller waits for, such as a denial, and returns its reference. It never blocks: when
// the queue is full the event is counted, and a gap record says how many were lost as soon as there is room.
func (l *Log) Note(e Event) string {
	if e.Reference == "" {
		e.Reference = identity.NewReference()
	}
	if _, known := Vocabulary[e.Event]; !known {
		l.cfg.Logger.Error("an audit event is not in the vocabulary", "event", tidy(e.Event))
		l.dropped.Add(1)
		return e.Reference
	}
	if l.closed.Load() {
		l.dropped.Add(1)
		return e.Reference
	}
	select {
	case l.notes <- e:
	default:
		l.dropped.Add(1)
	}
	return e.Reference
}

// writeNotes writes queued events, many per transaction, until ctx ends; then what is left, with one try each.
func (l *Log) writeNotes(ctx context.Context) {
	tick := time.NewTicker(time.Second) // a gap is recorded even when no further event comes
	defer tick.Stop()
	for {
		var batch []Event
		select {
		case <-ctx.Done():
			for batch := l.more(nil); len(batch) > 0; batch = l.more(nil) {
				if err := l.writeBatch(context.Background(), batch); err != nil {
					l.lost(batch, err)
				}
			}
			return
		case e := <-l.notes:
			batch = l.more([]Event{e})
		case <-tick.C:
			if l.dropped.Load() == 0 {
				continue
			}
		}
		l.writeLasting(ctx, batch)
	}
}

func (l *Log) more(batch []Event) []Event {
	for len(batch) < noteBatch {
		select {
		case e := <-l.notes:
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

// writeLasting tries until the database is back. Meanwhile the queue fills and what does not fit is counted.
func (l *Log) writeLasting(ctx context.Context, batch []Event) {
	for first := true; ; first = false {
		err := l.writeBatch(context.WithoutCancel(ctx), batch)
		if err == nil {
			return
		}
		if !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			l.lost(batch, err)
			return
		}
		if first {
			l.cfg.Logger.Error("audit events wait: the database does not take them", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryTime):
		}
	}
}

func (l *Log) lost(batch []Event, err error) {
	l.dropped.Add(int64(len(batch)))
	l.cfg.Logger.Error("audit events were lost", "events", len(batch), "error", err)
}

// writeBatch writes events and, before them, how many were lost.
func (l *Log) writeBatch(ctx context.Context, batch []Event) error {
	gap := l.dropped.Swap(0)
	if gap > 0 {
		batch = append([]Event{{Event: Gap, Outcome: "failure", Reason: "events_lost",
			Details: map[string]string{"lost": strconv.FormatInt(gap, 10)}}}, batch...)
	}
	err := l.store.Tx(ctx, func(tx *store.Tx) error {
		_, err := l.append(ctx, tx, batch...)
		return err
	})
	if err != nil {
		l.dropped.Add(gap)
	}
	return err
}
