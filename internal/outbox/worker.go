// Package outbox delivers what waits in the database. What has to leave the gateway is queued in the transaction that
// caused it, so it is neither lost nor sent for a change that did not happen. Each node has a worker for each queue,
// and a claim in SQL decides which of them delivers an entry (R5).
package outbox

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	// lease is how long a node has for one entry before another may take it over. It is longer than delivering takes, by
	// more than clocks differ.
	lease = 3 * time.Minute
	// pollInterval bounds the wait for entries that another node has queued.
	pollInterval = 10 * time.Second
	// grace is how long a delivery under way may continue when the gateway ends or is reloaded.
	grace = 2 * time.Second
	// warnInterval is the pause between two log lines about failures: a receiver that is down fails every delivery.
	warnInterval = time.Minute
)

// Queue is a durable queue of entries of one kind, which several nodes share.
type Queue interface {
	// Claim returns an entry that is due and reserves it for this node until a time; nil when none is due.
	Claim(ctx context.Context, now, until time.Time) (Entry, error)
	// NextDue returns when the next entry is due; false when none waits.
	NextDue(ctx context.Context) (time.Time, bool, error)
}

// Entry is a claimed entry of a queue. Its outcome is recorded only while the claim is this node's.
type Entry interface {
	// Deliver sends the entry. No further attempt follows an error that is permanent.
	Deliver(ctx context.Context, now time.Time) error
	// Delivered ends the entry.
	Delivered(ctx context.Context, now time.Time) error
	// GiveUp ends an entry that could not be delivered.
	GiveUp(ctx context.Context, now time.Time) error
	// Retry returns the entry to the queue until a time.
	Retry(ctx context.Context, due time.Time) error
	// Attempts is how many deliveries have begun, this one included.
	Attempts() int
	Created() time.Time
	// LogAttrs identifies the entry in the log, without any secret.
	LogAttrs() []any
}

// permanentError is an error after which another attempt is of no use.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// Worker delivers the entries of one queue for one node.
type Worker struct {
	queue  Queue
	name   string // of one entry, for the log
	log    *slog.Logger
	now    func() time.Time
	wake   chan struct{}
	warned time.Time // when a failure was logged last
}

// NewWorker returns a worker for a queue. The name is that of one entry, such as "security notice".
func NewWorker(queue Queue, name string, log *slog.Logger, now func() time.Time) *Worker {
	return &Worker{queue: queue, name: name, log: log, now: now, wake: make(chan struct{}, 1)}
}

// WakeUp has the worker look at its queue now, because an entry was added. It does not block.
func (w *Worker) WakeUp() {
	select {
	case w.wake <- struct{}{}:
	default: // it is about to look
	}
}

// Run delivers until ctx ends. At a reload the workers of the old and the new configuration overlap for a moment.
func (w *Worker) Run(ctx context.Context) {
	for ctx.Err() == nil {
		attempted, err := w.next(ctx)
		if err != nil && ctx.Err() == nil {
			w.warnThrottled("could not read the queue of "+w.name+"s", err)
		}
		if attempted {
			continue
		}
		timer := time.NewTimer(w.pause(ctx, err))
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// pause returns how long no entry is due, pollInterval at most.
func (w *Worker) pause(ctx context.Context, err error) time.Duration {
	if err != nil {
		return pollInterval
	}
	due, waits, err := w.queue.NextDue(ctx)
	if err != nil || !waits {
		return pollInterval
	}
	return min(max(due.Sub(w.now()), 10*time.Millisecond), pollInterval)
}

// next attempts one delivery that is due, and reports whether there was one.
func (w *Worker) next(ctx context.Context) (bool, error) {
	now := w.now()
	entry, err := w.queue.Claim(ctx, now, now.Add(lease))
	if err != nil || entry == nil {
		return false, err
	}
	failure := w.deliver(ctx, entry)
	// The outcome is recorded even when the gateway is ending: otherwise the entry would be delivered again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	attrs := entry.LogAttrs()
	now = w.now()
	var permanent permanentError
	switch {
	case failure == nil:
		w.log.Info("a "+w.name+" was sent", attrs...)
		return true, entry.Delivered(ctx, now)
	case errors.As(failure, &permanent) || now.Sub(entry.Created()) >= giveUpAfter:
		w.log.Error("a "+w.name+" was given up", append(attrs, "error", failure.Error())...)
		return true, entry.GiveUp(ctx, now)
	}
	w.warnThrottled("a "+w.name+" could not be sent; it is tried again", failure, attrs...)
	return true, entry.Retry(ctx, now.Add(retryPause(entry.Attempts())))
}

// deliver sends an entry. When ctx ends, a delivery under way has grace to complete.
func (w *Worker) deliver(ctx context.Context, entry Entry) error {
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })()
	return entry.Deliver(within, w.now())
}

// warnThrottled logs a failure: the first at once, then one each warnInterval.
func (w *Worker) warnThrottled(text string, why error, attrs ...any) {
	if now := w.now(); now.Sub(w.warned).Abs() >= warnInterval {
		w.warned = now
		w.log.Warn(text, append(attrs, "error", why.Error())...)
	}
}
