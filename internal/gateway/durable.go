package gateway

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/claim"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// durable is what outlives the process: the database with its keys and its log, and what the nodes share.
type durable struct {
	claim   *claim.Claim // of the store; nil where processes share it by design
	box     *secret.Box
	store   *store.Store
	cluster cluster.Cluster
	audit   *audit.Log
	ring    *token.Ring
	codeKey []byte // of recovery codes
}

// open opens everything but the keys, and leaves what is open after an error to Engine.Close.
func (d *durable) open(ctx context.Context, cfg Config) (err error) {
	if d.claim, err = claimStore(ctx, cfg); err != nil {
		return err
	}
	if d.box, err = openBox(cfg); err != nil {
		return err
	}
	d.store, err = store.Open(ctx, store.Config{Driver: cfg.Storage.Driver, DSN: cfg.Storage.DSN, Logger: cfg.Logger})
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	if d.claim != nil {
		if err := d.claim.Mark(ctx, d.store); err != nil {
			return err
		}
	}
	if d.cluster, err = openCluster(cfg, d.claim); err != nil {
		return err
	}
	d.audit, err = audit.New(d.store, audit.Config{
		File:      cfg.Audit.File,
		OnFailure: onFailure(cfg.Audit),
		Logger:    cfg.Logger,
		Now:       cfg.Now,
		OnEvent:   cfg.Metrics.AuditEvent,
	})
	return err
}

// openKeys opens the keys in the database. onChange publishes that this node has changed the signing keys.
func (d *durable) openKeys(ctx context.Context, cfg Config, onChange func(context.Context) error) (err error) {
	if d.ring, err = token.OpenRing(ctx, d.store, d.box, token.RingConfig{
		Bits:     cfg.JWT.Bits,
		Import:   cfg.JWT.PrivateKey,
		Rotate:   cfg.JWT.Rotate,
		Access:   cfg.JWT.Access,
		OnRotate: d.auditRotation,
		OnChange: onChange,
		Logger:   cfg.Logger,
		Now:      cfg.Now,
	}); err != nil {
		return fmt.Errorf("open the key ring: %w", err)
	}
	d.codeKey, err = openCodeKey(ctx, d.store, d.box)
	return err
}

// claimStore claims an SQLite store for this process.
func claimStore(ctx context.Context, cfg Config) (*claim.Claim, error) {
	if cfg.Storage.Driver != "sqlite" {
		return nil, nil // nothing to claim
	}
	return claim.Take(ctx, claim.Options{
		Path:    cfg.Storage.DSN,
		Alone:   cfg.Redis.URL == "",
		Command: cfg.Offline,
		Site:    cfg.mainOrigin(),
		Logger:  cfg.Logger,
		Now:     cfg.Now,
	})
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

func onFailure(a Audit) string {
	if a.Continue {
		return "continue"
	}
	return "deny"
}

// auditRotation records a rotation that the ring began by itself.
func (d *durable) auditRotation(ctx context.Context, tx *store.Tx, k token.KeyInfo) error {
	_, err := d.audit.Within(ctx, tx, audit.Event{
		Event: audit.KeyRotated, Outcome: "success", Actor: audit.Actor{Name: "rotate"},
		Details: map[string]string{"kid_prefix": k.KID[:8], "activates": k.Activates},
	})
	return err
}
