// Package gateway is the engine: it opens everything from one Config, owns lifetimes, and hands out gate and portal.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/claim"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/revocation"
	"github.com/truxeio/caddy-truxe/internal/revocation/feed"
)

// recordPause is how long records of decisions are gathered before they are written.
const recordPause = 2 * time.Second

// Engine is what outlives a configuration: database, feed, revocation copy, sessions in memory, counters, the hashing
// pool, the audit writer and open streams. Configurations with one Key share one engine.
type Engine struct {
	cfg Config
	log *slog.Logger

	durable
	memory
	revoked *revocation.Node
	feed    *feed.Feed
	watch   *revocation.RoleWatch // over open streams
	hasher  *credential.Hasher

	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// Open opens the engine. It succeeds while Redis is down: the gateway then starts not ready and becomes ready by itself
// (FAULTS 1). A database that cannot be opened is an error.
func Open(ctx context.Context, cfg Config) (e *Engine, err error) {
	cfg = cfg.withDefaults()
	e = &Engine{cfg: cfg, log: cfg.Logger}
	run, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	defer func() {
		if err != nil {
			_ = e.Close(ctx)
		}
	}()
	if err = e.durable.open(ctx, cfg); err != nil {
		return e, err
	}
	e.revoked = revocation.New(revocation.Config{Deny: cfg.Redis.Deny, Stale: cfg.Redis.Stale, Now: cfg.Now})
	e.feed = feed.New(feed.Config{
		Source:   e.store,
		Cluster:  e.cluster,
		Node:     e.revoked,
		Observer: snapshots{e},
		Logger:   cfg.Logger,
		OnLag:    cfg.Metrics.RevocationLag,
		Now:      cfg.Now,
	})
	if err = e.durable.openKeys(ctx, cfg, e.publishKeys); err != nil {
		return e, err
	}
	e.hasher, err = credential.NewHasher(credential.Config{Algorithm: cfg.Password.Algorithm, Cost: cfg.Password.Cost})
	if err != nil {
		return e, err
	}
	e.memory.open(cfg, e.store)
	e.watch = revocation.NewRoleWatch(e.revoked.Streams(), e.store.RolesOf, cfg.Logger)
	e.start(run)
	return e, e.waitReady(ctx)
}

// renewClaim ends what runs in the background when another process has taken the store over, the feed among it, so that
// the gateway refuses.
func (e *Engine) renewClaim(ctx context.Context) {
	if !e.claim.Renew(ctx, e.store) {
		e.cancel()
	}
}

// start runs what goes on in the background until Close.
func (e *Engine) start(ctx context.Context) {
	e.background(func() {
		if err := e.feed.Run(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("the revocation feed ended", "error", err)
		}
	})
	e.background(func() { _ = e.sessions.Run(ctx) })
	e.background(func() { e.watch.Run(ctx) })
	e.every(ctx, claim.RenewInterval, func() { e.renewClaim(ctx) })
	e.every(ctx, time.Second, e.observe)
	e.every(ctx, 15*time.Second, e.updateSessionGauge)
	e.every(ctx, time.Minute, func() {
		within, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := e.ring.Reload(within); err != nil {
			e.log.Warn("could not reload the signing keys", "error", err)
		}
	})
	e.every(ctx, time.Minute, func() { authn.PurgeAssertions(e.tokens, e.cfg.Now()) })
	e.every(ctx, recordPause, func() { e.records.Write(ctx, e.store, e.log) })
	e.every(ctx, 10*time.Minute, func() {
		within, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		e.tokens.Purge(e.cfg.Now().Unix())
		e.limits.Purge()
		if _, err := e.store.Purge(within, e.cfg.Now()); err != nil {
			e.log.Warn("could not purge expired rows", "error", err)
		}
	})
}

func (e *Engine) background(do func()) {
	e.tasks.Add(1)
	go func() {
		defer e.tasks.Done()
		do()
	}()
}

func (e *Engine) every(ctx context.Context, d time.Duration, do func()) {
	e.background(func() {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				do()
			}
		}
	})
}

// waitReady waits for the feed a moment, so that in the usual case the first request finds the gateway ready.
func (e *Engine) waitReady(ctx context.Context) error {
	for range 40 {
		if e.revoked.Ready() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
	e.log.Warn("the revocation state is not readable yet; protected requests are answered with 503 until it is")
	return nil
}

// Close ends the background work, drains the audit log and closes all connections.
func (e *Engine) Close(ctx context.Context) error {
	e.cancel()
	var errs []error
	done := make(chan struct{})
	if e.cluster != nil {
		errs = append(errs, e.cluster.Close())
	}
	go func() { e.tasks.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		errs = append(errs, ctx.Err())
	}
	if e.hasher != nil {
		e.hasher.Close()
	}
	if e.audit != nil {
		errs = append(errs, e.audit.Close(ctx))
	}
	if e.store != nil {
		e.claim.Unmark(e.store)
		errs = append(errs, e.store.Close())
	}
	e.claim.Release()
	return errors.Join(errs...)
}
