package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// ErrInUse says that a running gateway holds the store for itself: it would not learn of a change made beside it.
var ErrInUse = errors.New("the store is in use by a running gateway")

const (
	holderKey  = "held_until"
	holderLife = 15 * time.Second
)

// hold marks the store as held while this node shares nothing with others, so that the command line does not change it
// behind its back. With Redis there is nothing to mark: the other side hears of every change.
func (e *Engine) hold(ctx context.Context) {
	if e.cfg.Redis.URL != "" || e.cfg.Offline {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	until := e.cfg.Now().Add(holderLife).UnixMilli()
	if err := e.store.SetMeta(ctx, holderKey, strconv.FormatInt(until, 10)); err != nil {
		e.log.Warn("could not mark the store as in use", "error", err)
	}
}

func (e *Engine) release() {
	if e.store == nil || e.cfg.Redis.URL != "" || e.cfg.Offline {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = e.store.SetMeta(ctx, holderKey, "0")
}

// held tells whether a running gateway holds the store.
func held(ctx context.Context, st *store.Store, now time.Time) (bool, error) {
	text, err := st.Meta(ctx, holderKey)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	until, err := strconv.ParseInt(text, 10, 64)
	return err == nil && now.UnixMilli() < until, nil
}

// Offline runs one call of the command line on the store itself, for when Caddy is stopped.
func Offline(ctx context.Context, cfg Config, name string, args json.RawMessage) (any, error) {
	if err := Check(cfg); err != nil {
		return nil, err
	}
	cfg.Offline = true
	cfg = cfg.withDefaults()
	if cfg.Redis.URL == "" {
		st, err := store.Open(ctx, store.Config{Driver: cfg.Storage.Driver, DSN: cfg.Storage.DSN, Logger: cfg.Logger})
		if err != nil {
			return nil, err
		}
		inUse, err := held(ctx, st, cfg.Now())
		if err = errors.Join(err, st.Close()); err != nil {
			return nil, err
		}
		if inUse {
			return nil, ErrInUse
		}
	}
	e, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer e.Close(ctx)
	g, err := New(ctx, e, cfg)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	return g.Admin(ctx, name, args)
}
