package gateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// The mark in the database says which process holds the store for itself where locks do not reach: another machine, another
// container on a file system of its own process, one without locks, and versions that only had the mark.
const (
	holderKey  = "held_until"
	holderLife = 15 * time.Second
	// markSkew is how far another machine's clock may be behind (as with tokens).
	markSkew = time.Minute
)

// metas is a store or a transaction.
type metas interface {
	Meta(ctx context.Context, key string) (string, error)
	SetMeta(ctx context.Context, key, value string) error
}

// writeMark marks the store as held by this process.
func (c *claim) writeMark(ctx context.Context, in metas, now time.Time) error {
	text := strconv.FormatInt(now.Add(holderLife).UnixMilli(), 10) + " " + string(c.self.text())
	return in.SetMeta(ctx, holderKey, text)
}

// readMark reads who marked the store and until when; zero when it is not held.
func readMark(ctx context.Context, in metas) (text string, until time.Time, by holder, err error) {
	text, err = in.Meta(ctx, holderKey)
	if errors.Is(err, store.ErrNotFound) {
		return "", time.Time{}, holder{}, nil
	}
	until, by = parseMark(text)
	return text, until, by, err
}

// parseMark reads what markNow wrote. The time is zero for a mark that was given back, and for any other text.
func parseMark(text string) (until time.Time, by holder) {
	number, rest, _ := strings.Cut(text, " ")
	if ms, err := strconv.ParseInt(number, 10, 64); err == nil && ms > 0 {
		until = time.UnixMilli(ms)
	}
	return until, readHolder([]byte(rest))
}

// mark takes the mark over from the process before, for whose end it waits: until the mark is given back, or is not
// renewed for its lifetime. A process of this machine that holds no lock any more has ended. An engine with Redis waits too,
// and leaves no mark.
func (c *claim) mark(ctx context.Context, st *store.Store, cfg Config) error {
	var last string
	var seen time.Time // when the mark was last found changed
	for {
		if c.isMarked() {
			return nil
		}
		text, until, by, err := readMark(ctx, st)
		if err != nil {
			return err
		}
		ended := c.lock != nil && by.sees(c.self)
		if until.IsZero() || by.same(c.self) || ended || cfg.Now().After(until.Add(markSkew)) {
			break
		}
		now := time.Now()
		if text != last {
			if last == "" {
				cfg.Logger.Info("waiting for the store: it is in use by "+by.String(), "file", c.path, "limit", handoverLimit)
			}
			last, seen = text, now
		} else if now.Sub(seen) >= holderLife {
			break
		}
		if now.After(c.until) || cfg.Offline && !by.Command {
			return &heldError{c.path, by}
		}
		if err := sleep(ctx, claimPause); err != nil {
			return &heldError{c.path, by}
		}
	}
	return c.takeMark(ctx, st, cfg)
}

// takeMark writes the first mark. A process that held the store and was only frozen finds it, or that its own is gone.
func (c *claim) takeMark(ctx context.Context, st *store.Store, cfg Config) error {
	c.marking.Lock()
	defer c.marking.Unlock()
	if c.marked {
		return nil
	}
	write := func() error { return c.writeMark(ctx, st, cfg.Now()) }
	if !c.alone {
		write = func() error {
			if _, until, _, err := readMark(ctx, st); err != nil || until.IsZero() {
				return err
			}
			return st.SetMeta(ctx, holderKey, "0")
		}
	} else if c.lock == nil {
		cfg.Logger.Warn("the file system of the database has no locks: keep other processes off it", "file", c.path)
	}
	if err := write(); err != nil {
		return fmt.Errorf("mark the store as in use: %w", err)
	}
	c.marked = c.alone
	return nil
}

func (c *claim) isMarked() bool {
	c.marking.Lock()
	defer c.marking.Unlock()
	return c.marked
}

// lost reports whether another process has taken the store over since this part of the claim was taken.
func (c *claim) lost() bool { return c.term != c.terms.Load() }

// renew renews the mark, unless it is another process's: a lock that was taken is no proof that it reaches the others.
func (c *claim) renew(ctx context.Context, st *store.Store, now time.Time) (by holder, err error) {
	c.marking.Lock()
	defer c.marking.Unlock()
	if !c.marked || c.lost() { // given back, or lost
		return holder{}, nil
	}
	taken := false
	err = st.Tx(ctx, func(tx *store.Tx) error {
		var text string
		var err error
		if text, _, by, err = readMark(ctx, tx); err != nil {
			return err
		}
		if taken = text != "" && !by.same(c.self); taken {
			return nil
		}
		return c.writeMark(ctx, tx, now)
	})
	if taken {
		c.marked = false
		c.terms.Add(1)
	}
	return by, err
}

// hold renews the mark of an engine that holds the store for itself. When another process has taken the store over, all
// engines of this one follow the feed no more, and so refuse what needs it (R1): they do not learn of what the other revokes.
func (e *Engine) hold(ctx context.Context) {
	if e.claim == nil {
		return
	}
	within, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var by holder
	if e.claim.alone {
		var err error
		if by, err = e.claim.renew(within, e.store, e.cfg.Now()); err != nil && within.Err() == nil {
			e.log.Warn("could not mark the store as in use", "error", err)
		}
	}
	if e.claim.lost() && ctx.Err() == nil {
		e.log.Error("another process has taken the store over; this one refuses from now on and must be restarted", "file", e.claim.path, "by", by.String())
		e.cancel()
	}
}

// release leaves the store to the next process. A renewal that is late finds that the mark is not ours any more.
func (e *Engine) release() {
	c := e.claim
	if c == nil || e.store == nil || !c.alone {
		return
	}
	c.marking.Lock()
	defer c.marking.Unlock()
	if !c.marked || c.lost() || !c.lastAlone() {
		return
	}
	c.marked = false
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = e.store.Tx(ctx, func(tx *store.Tx) error {
		if _, _, by, err := readMark(ctx, tx); err != nil || !by.same(c.self) {
			return err
		}
		return tx.SetMeta(ctx, holderKey, "0")
	})
}
