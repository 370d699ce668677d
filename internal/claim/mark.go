package claim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// The mark in the database says which process holds the store for itself where locks do not reach: another machine,
// another container on a file system of its own process, one without locks, and versions that only had the mark.
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
func (c *Claim) writeMark(ctx context.Context, in metas, now time.Time) error {
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

// parseMark reads what writeMark wrote. The time is zero for a mark that was given back, and for any other text.
func parseMark(text string) (until time.Time, by holder) {
	number, rest, _ := strings.Cut(text, " ")
	if ms, err := strconv.ParseInt(number, 10, 64); err == nil && ms > 0 {
		until = time.UnixMilli(ms)
	}
	return until, readHolder([]byte(rest))
}

// Mark takes the mark over from the process before, for whose end it waits: until the mark is given back, or is not
// renewed for its lifetime. A process of this machine that holds no lock any more has ended. An engine with Redis waits
// too, and leaves no mark.
func (c *Claim) Mark(ctx context.Context, st *store.Store) error {
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
		if until.IsZero() || by.same(c.self) || ended || c.Now().After(until.Add(markSkew)) {
			break
		}
		now := time.Now()
		if text != last {
			if last == "" {
				c.Logger.Info("waiting for the store: it is in use by "+by.String(), "file", c.path, "limit", handoverLimit)
			}
			last, seen = text, now
		} else if now.Sub(seen) >= holderLife {
			break
		}
		if now.After(c.until) || c.Command && !by.Command {
			return &heldError{c.path, by}
		}
		if err := sleep(ctx, retryPause); err != nil {
			return &heldError{c.path, by}
		}
	}
	return c.takeMark(ctx, st)
}

// takeMark writes the first mark. A process that held the store and was only frozen finds it, or that its own is gone.
func (c *Claim) takeMark(ctx context.Context, st *store.Store) error {
	c.marking.Lock()
	defer c.marking.Unlock()
	if c.marked {
		return nil
	}
	write := func() error { return c.writeMark(ctx, st, c.Now()) }
	if !c.Alone {
		write = func() error {
			if _, until, _, err := readMark(ctx, st); err != nil || until.IsZero() {
				return err
			}
			return st.SetMeta(ctx, holderKey, "0")
		}
	} else if c.lock == nil {
		c.Logger.Warn("the file system of the database has no locks: keep other processes off it", "file", c.path)
	}
	if err := write(); err != nil {
		return fmt.Errorf("mark the store as in use: %w", err)
	}
	c.marked = c.Alone
	return nil
}

func (c *Claim) isMarked() bool {
	c.marking.Lock()
	defer c.marking.Unlock()
	return c.marked
}

// lost reports whether another process has taken the store over since this part of the claim was taken.
func (c *Claim) lost() bool { return c.term != c.terms.Load() }

// renew renews the mark, unless it is another process's: a lock that was taken is no proof that it reaches the others.
func (c *Claim) renew(ctx context.Context, st *store.Store, now time.Time) (by holder, err error) {
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

// RenewInterval is how often Renew is to be called.
const RenewInterval = holderLife / 3

// Renew renews the mark. It returns false when another process has taken the store over: all engines of this one must
// then refuse what needs the feed (R1), since they do not learn of what the other revokes.
func (c *Claim) Renew(ctx context.Context, st *store.Store) bool {
	if c == nil {
		return true
	}
	within, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var by holder
	if c.Alone {
		var err error
		if by, err = c.renew(within, st, c.Now()); err != nil && within.Err() == nil {
			c.Logger.Warn("could not mark the store as in use", "error", err)
		}
	}
	if !c.lost() || ctx.Err() != nil {
		return true
	}
	c.Logger.Error("another process has taken the store over; this one refuses from now on and must be restarted", "file",
		c.path, "by", by.String())
	return false
}

// Unmark leaves the store to the next process. A renewal that is late finds that the mark is not ours any more.
func (c *Claim) Unmark(st *store.Store) {
	if c == nil || !c.Alone {
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
	_ = st.Tx(ctx, func(tx *store.Tx) error {
		if _, _, by, err := readMark(ctx, tx); err != nil || !by.same(c.self) {
			return err
		}
		return tx.SetMeta(ctx, holderKey, "0")
	})
}
