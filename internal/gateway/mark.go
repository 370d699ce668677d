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

// The mark in the database says who holds the store where locks do not reach: another machine on a file system that has
// none, and versions that only had the mark.
const (
	holderKey  = "held_until"
	holderLife = 15 * time.Second
	// markSkew is how far another machine's clock may be behind (as with tokens).
	markSkew = time.Minute
)

// markNow marks the store as held by this process.
func (c *claim) markNow(ctx context.Context, st *store.Store, now time.Time) error {
	text := strconv.FormatInt(now.Add(holderLife).UnixMilli(), 10) + " " + string(c.self.text())
	return st.SetMeta(ctx, holderKey, text)
}

// readMark reads who marked the store and until when; zero when it is not held.
func readMark(ctx context.Context, st *store.Store) (text string, until time.Time, by holder, err error) {
	text, err = st.Meta(ctx, holderKey)
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
// renewed for its lifetime. A process of this machine that holds no lock any more has ended.
func (c *claim) mark(ctx context.Context, st *store.Store, cfg Config) error {
	if !c.alone || c.isMarked() {
		return nil
	}
	var last string
	var seen time.Time // when the mark was last found changed
	for {
		text, until, by, err := readMark(ctx, st)
		if err != nil {
			return err
		}
		locked := c.lock != nil && by.Boot != "" && by.Boot == c.self.Boot
		if until.IsZero() || by.same(c.self) || locked || cfg.Now().After(until.Add(markSkew)) {
			break
		}
		now := time.Now()
		switch {
		case text != last:
			if last == "" {
				cfg.Logger.Info("waiting for the store: it is in use by "+by.String(), "file", c.path, "limit", handoverLimit)
			}
			last, seen = text, now
		case now.Sub(seen) >= holderLife:
			return c.markFirst(ctx, st, cfg)
		}
		if now.After(c.until) || cfg.Offline && !by.Command {
			return &heldError{c.path, by}
		}
		if err := sleep(ctx, claimPause); err != nil {
			return &heldError{c.path, by}
		}
	}
	return c.markFirst(ctx, st, cfg)
}

func (c *claim) markFirst(ctx context.Context, st *store.Store, cfg Config) error {
	if c.lock == nil {
		cfg.Logger.Warn("the file system of the database has no locks: keep other processes off it", "file", c.path)
	}
	if err := c.markNow(ctx, st, cfg.Now()); err != nil {
		return fmt.Errorf("mark the store as in use: %w", err)
	}
	claims.Lock()
	defer claims.Unlock()
	c.marked = true
	return nil
}

func (c *claim) isMarked() bool {
	claims.Lock()
	defer claims.Unlock()
	return c.marked
}

// hold renews the mark. Where there are no locks, a process that was stopped for long can find that another has taken the
// store over; it then follows the feed no more, and so refuses what needs it (R1).
func (e *Engine) hold(ctx context.Context) {
	if e.claim == nil || !e.claim.alone {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, until, by, err := readMark(ctx, e.store); e.claim.lock == nil && err == nil && !by.same(e.claim.self) && e.cfg.Now().Before(until) {
		e.log.Error("another process has taken the store over; this one refuses from now on and must be restarted", "by", by.String())
		e.cancel()
		return
	}
	if err := e.claim.markNow(ctx, e.store, e.cfg.Now()); err != nil && ctx.Err() == nil {
		e.log.Warn("could not mark the store as in use", "error", err)
	}
}

// release gives the store to the next process.
func (e *Engine) release() {
	if e.claim == nil {
		return
	}
	if e.store != nil && e.claim.alone && e.claim.isMarked() && e.claim.lastAlone() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = e.store.SetMeta(ctx, holderKey, "0")
	}
}
