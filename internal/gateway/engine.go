// Package gateway is the engine: it opens everything from one Config, owns lifetimes, and hands out gate and portal.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/claim"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/revocation"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// recordPause is how long records of decisions are gathered before they are written.
const recordPause = 2 * time.Second

// Engine is what outlives a configuration: database, feed, revocation copy, sessions in memory, counters, the hashing
// pool, the audit writer and open streams. Configurations with one Key share one engine.
type Engine struct {
	cfg      Config
	log      *slog.Logger
	store    *store.Store
	cluster  cluster.Cluster
	box      *secret.Box
	ring     *token.Ring
	cache    *token.Cache
	revoked  *revocation.Node
	sessions *session.Table
	renewals *session.Renewals
	roles    *authn.CurrentRoles   // of users with access tokens
	watch    *revocation.RoleWatch // over open streams
	hasher   *credential.Hasher
	codeKey  []byte // of recovery codes
	audit    *audit.Log
	refusals gate.Refusals
	limits   ratelimit.Sites
	records  *rules.Records
	claim    *claim.Claim // of the store; nil where processes share it by design

	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// Open opens the engine. It succeeds while Redis is down: the gateway then starts not ready and becomes ready by itself
// (FAULTS 1). A database that cannot be opened is an error.
func Open(ctx context.Context, cfg Config) (e *Engine, err error) {
	cfg = cfg.withDefaults()
	e = &Engine{records: rules.NewRecords(), cfg: cfg, log: cfg.Logger}
	run, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	defer func() {
		if err != nil {
			_ = e.Close(ctx)
		}
	}()
	if e.claim, err = claimStore(ctx, cfg); err != nil {
		return e, err
	}
	if e.box, err = openBox(cfg); err != nil {
		return e, err
	}
	if e.store, err = store.Open(ctx, store.Config{Driver: cfg.Storage.Driver, DSN: cfg.Storage.DSN, Logger: cfg.Logger}); err != nil {
		return e, fmt.Errorf("open the database: %w", err)
	}
	if e.claim != nil {
		if err := e.claim.Mark(ctx, e.store); err != nil {
			return e, err
		}
	}
	if e.cluster, err = openCluster(cfg, e.claim); err != nil {
		return e, err
	}
	if e.audit, err = audit.New(e.store, audit.Config{File: cfg.Audit.File, OnFailure: onFailure(cfg.Audit), Logger: cfg.Logger, Now: cfg.Now,
		OnEvent: cfg.Metrics.AuditEvent}); err != nil {
		return e, err
	}
	if e.ring, err = token.OpenRing(ctx, e.store, e.box, token.RingConfig{Bits: cfg.JWT.Bits, Import: cfg.JWT.PrivateKey, Rotate: cfg.JWT.Rotate,
		Access: cfg.JWT.Access, OnRotate: e.auditRotation, Logger: cfg.Logger, Now: cfg.Now}); err != nil {
		return e, fmt.Errorf("open the key ring: %w", err)
	}
	if e.codeKey, err = openCodeKey(ctx, e.store, e.box); err != nil {
		return e, err
	}
	e.cache = token.NewCache(0)
	if e.hasher, err = credential.NewHasher(credential.Config{Algorithm: cfg.Password.Algorithm, Cost: cfg.Password.Cost}); err != nil {
		return e, err
	}
	e.roles = authn.NewCurrentRoles(e.store.UserByID)
	e.renewals = session.NewRenewals(e.store, cfg.Now)
	e.sessions = session.New(session.Config{Source: e.renewals, Idle: cfg.Session.Idle, Max: cfg.Session.Max, Remember: cfg.Session.Remember,
		API: cfg.JWT.Refresh, Limit: cfg.Session.Limit, TouchUsers: e.store.TouchUsers, Logger: cfg.Logger, Now: cfg.Now})
	e.revoked = revocation.New(revocation.Config{Source: e.store, Feed: e.cluster, Logger: cfg.Logger, Deny: cfg.Redis.Deny, Stale: cfg.Redis.Stale,
		OnEvent: e.heard, OnResync: e.missed, OnLag: cfg.Metrics.RevocationLag, Now: cfg.Now})
	e.watch = revocation.NewRoleWatch(e.revoked.Streams(), e.store.RolesOf, cfg.Logger)
	e.start(run)
	return e, e.waitReady(ctx)
}

// claimStore claims an SQLite store for this process.
func claimStore(ctx context.Context, cfg Config) (*claim.Claim, error) {
	if cfg.Storage.Driver != "sqlite" {
		return nil, nil //nolint:nilnil // nothing to claim
	}
	return claim.Take(ctx, claim.Options{Path: cfg.Storage.DSN, Alone: cfg.Redis.URL == "", Command: cfg.Offline, Site: cfg.mainOrigin(),
		Logger: cfg.Logger, Now: cfg.Now})
}

// renewClaim ends what runs in the background when another process has taken the store over, the feed among it, so that the
// gateway refuses.
func (e *Engine) renewClaim(ctx context.Context) {
	if !e.claim.Renew(ctx, e.store) {
		e.cancel()
	}
}

func onFailure(a Audit) string {
	if a.Continue {
		return "continue"
	}
	return "deny"
}

// auditRotation records a rotation that the ring began by itself.
func (e *Engine) auditRotation(ctx context.Context, tx *store.Tx, k token.KeyInfo) error {
	_, err := e.audit.Within(ctx, tx, audit.Event{Event: audit.KeyRotated, Outcome: "success", Actor: audit.Actor{Name: "rotate"},
		Details: map[string]string{"kid_prefix": k.KID[:8], "activates": k.Activates}})
	return err
}

// openBox reads the encryption keys, or the generated one in the data directory.
func openBox(cfg Config) (*secret.Box, error) {
	keys, err := encryptionKeys(cfg.EncryptionKeys)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		load := secret.LoadOrCreateKeyFile
		if cfg.Existing {
			load = secret.LoadKeyFile
		}
		key, warning, err := load(filepath.Join(cfg.DataDir, "encryption.key"))
		if err != nil {
			return nil, fmt.Errorf("encryption key: %w", err)
		}
		if warning != "" {
			cfg.Logger.Warn(warning)
		}
		keys = []secret.Key{key}
	}
	return secret.NewBox(keys[0], keys[1:]...)
}

func openCluster(cfg Config, c *claim.Claim) (cluster.Cluster, error) {
	if cfg.Redis.URL == "" { // Check refuses PostgreSQL without it, so there is a claim
		return processCluster{c.Local()}, nil
	}
	options, err := cluster.ParseURL(cfg.Redis.URL)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	options.Prefix = cfg.Redis.Prefix
	for _, w := range options.Warnings() {
		cfg.Logger.Warn(w)
	}
	return cluster.Open(*options, cfg.Logger)
}

// processCluster belongs to all engines of this process, and ends with the claim on their store.
type processCluster struct{ *cluster.Local }

// Close leaves it to the claim.
func (processCluster) Close() error { return nil }

// start runs what goes on in the background until Close.
func (e *Engine) start(ctx context.Context) {
	e.background(func() {
		if err := e.revoked.Run(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("the revocation feed ended", "error", err)
		}
	})
	e.background(func() { _ = e.sessions.Run(ctx) })
	e.background(func() { e.watch.Run(ctx) })
	e.every(ctx, claim.RenewInterval, func() { e.renewClaim(ctx) })
	e.every(ctx, time.Second, e.observe)
	e.every(ctx, 15*time.Second, e.count)
	e.every(ctx, time.Minute, func() {
		within, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := e.ring.Reload(within); err != nil {
			e.log.Warn("could not reload the signing keys", "error", err)
		}
	})
	e.every(ctx, time.Minute, func() { authn.PurgeAssertions(e.cache, e.cfg.Now()) })
	e.every(ctx, recordPause, func() { e.records.Write(ctx, e.store, e.log) })
	e.every(ctx, 10*time.Minute, func() {
		within, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		e.cache.Purge(e.cfg.Now().Unix())
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

// waitReady gives the feed a moment, so that in the usual case the first request finds the gateway ready.
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

// heard acts on what the feed says: a revoked session or changed user is read anew, keys are reloaded.
func (e *Engine) heard(ev cluster.Event) {
	switch ev.Kind {
	case cluster.KindSession:
		if id, ok := identity.ParseID(ev.Name); ok {
			e.sessions.Drop(id)
		}
	case cluster.KindUser, cluster.KindChanged:
		if id, ok := identity.ParseID(ev.Name); ok {
			e.sessions.DropUser(id)
			e.roles.Drop(id)
			e.watch.UserChanged(id)
		}
	case cluster.KindKeys:
		e.reloadKeys()
	}
}

// missed forgets everything that the feed might have told while this node was not listening.
func (e *Engine) missed(string) {
	e.sessions.DropAll()
	e.roles.DropAll()
	e.watch.AllChanged()
	e.reloadKeys()
}

func (e *Engine) reloadKeys() {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := e.ring.Reload(ctx); err != nil {
			e.log.Warn("could not reload the signing keys", "error", err)
		}
	}()
}

// observe feeds the gauges.
func (e *Engine) observe() {
	m := e.cfg.Metrics
	for component, ok := range e.health() {
		m.Ready(component, ok)
	}
	m.HashQueue(e.hasher.QueueLength())
}

// count feeds the gauge that costs a query.
func (e *Engine) count() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if n, err := e.store.CountSessions(ctx, e.cfg.Now()); err == nil {
		e.cfg.Metrics.SessionsActive(n)
	}
}

// health tells what can be relied on, by component.
func (e *Engine) health() map[string]bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	h := map[string]bool{"store": e.store.Ping(ctx) == nil, "revocations": e.revoked.Ready(), "audit": e.audit.Health() == nil}
	if e.cfg.Redis.URL != "" {
		h["redis"] = e.cluster.Health().Refused == nil
	}
	return h
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
