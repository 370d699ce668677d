package audit

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Config of a Log.
type Config struct {
	// File gets every row as a JSON line; "" for none. It is made with mode 0600 and opened again when it is rotated.
	File string
	// OnFailure says what happens while File cannot be written: "deny" (default) refuses what changes security,
	// "continue" goes on. Without the database nothing changes in either case, since the row is part of the change.
	OnFailure string
	Logger    *slog.Logger
	// Now is the time of events. Default time.Now. Their order is their number, never their time.
	Now func() time.Time
	// OnEvent hears of each event that is durable.
	OnEvent func(event string)
}

// Log appends events.
type Log struct {
	cfg     Config
	store   *store.Store
	file    *follower // nil without a file
	notes   chan Event
	dropped atomic.Int64
	closed  atomic.Bool
	denials denials

	stopNotes, stopFile context.CancelFunc
	notesDone, fileDone sync.WaitGroup
}

// New starts the writers. A file that cannot be written now is no error: reads must go on (FAULTS 21). One that holds
// something else than this database's log is.
func New(st *store.Store, cfg Config) (*Log, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(string) {}
	}
	l := &Log{cfg: cfg, store: st, notes: make(chan Event, noteQueue)}
	notesCtx, stopNotes := context.WithCancel(context.Background())
	fileCtx, stopFile := context.WithCancel(context.Background())
	l.stopNotes, l.stopFile = stopNotes, stopFile
	if cfg.File != "" {
		l.file = newFollower(st, cfg)
		if err := l.file.begin(fileCtx); err != nil {
			stopNotes()
			stopFile()
			return nil, err
		}
		l.file.recovered = func(since time.Time, err error) {
			l.Note(Event{Event: Gap, Outcome: "success", Reason: "file_written_again",
				Details: map[string]string{"since": since.UTC().Format(timeFormat), "fault": err.Error()}})
		}
		l.fileDone.Go(func() { l.file.run(fileCtx) })
	}
	l.notesDone.Go(func() { l.writeNotes(notesCtx) })
	return l, nil
}

// Within appends an event in the caller's transaction: the change and its record happen together or not at all (R9).
// With on_failure deny it is an *identity.Error with CodeStateUnavailable while the file cannot be written.
func (l *Log) Within(ctx context.Context, tx *store.Tx, e Event) (reference string, err error) {
	if l.cfg.OnFailure != "continue" {
		if err := l.Health(); err != nil {
			return "", identity.Unavailable(err).RetryIn(5 * time.Second)
		}
	}
	return l.append(ctx, tx, e)
}

// Health is why the file cannot be written; nil while it can, and without a file.
func (l *Log) Health() error {
	if l.file == nil {
		return nil
	}
	if err := l.file.broken(); err != nil {
		return fmt.Errorf("the audit file cannot be written: %w", err)
	}
	return nil
}

// append adds events to the chain, which is locked until the transaction ends, and gives the reference of the last.
func (l *Log) append(ctx context.Context, tx *store.Tx, events ...Event) (reference string, err error) {
	lines := make([]line, len(events))
	for i, e := range events {
		if _, known := Vocabulary[e.Event]; !known {
			return "", fmt.Errorf("audit event %q is not in the vocabulary", e.Event)
		}
		if e.Reference == "" {
			e.Reference = identity.NewReference()
		}
		lines[i], reference = clean(e), e.Reference
	}
	seq, prev, err := tx.AuditHead(ctx)
	if err != nil {
		return "", err
	}
	rows := make([]store.AuditRow, len(lines))
	for i, ln := range lines {
		if rows[i], err = ln.follow(seq, prev, l.cfg.Now()); err != nil {
			return "", err
		}
		seq, prev = rows[i].Seq, rows[i].Hash
	}
	if err := tx.AppendAuditRows(ctx, rows...); err != nil {
		return "", err
	}
	tx.AfterCommit(func() {
		for _, e := range events {
			l.cfg.OnEvent(e.Event)
		}
		if l.file != nil {
			l.file.wake()
		}
	})
	return reference, nil
}

// Close writes what is queued, lets the file catch up and ends the writers. Events noted later are lost.
func (l *Log) Close(ctx context.Context) error {
	l.settleAll()
	l.closed.Store(true)
	done := make(chan struct{})
	go func() {
		l.stopNotes()
		l.notesDone.Wait()
		l.stopFile()
		l.fileDone.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		l.stopFile()
		return fmt.Errorf("close audit log: %w", ctx.Err())
	}
	if n := l.dropped.Load(); n > 0 {
		l.cfg.Logger.Error("audit events were lost: the database did not take them", "events", n)
	}
	return nil
}
