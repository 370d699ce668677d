package caddymodule

import (
	"context"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/truxeio/caddy-truxe/internal/gateway"
)

// engines outlives configurations: a reload takes the running engine with its sessions, counters, queues and open
// streams, as long as what makes it the same (database, Redis, keys) has not changed.
var engines = caddy.NewUsagePool()

// pooledEngine lets the pool close an engine.
type pooledEngine struct{ *gateway.Engine }

// Destruct runs after the new configuration has started, so its time is bounded.
func (p pooledEngine) Destruct() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return p.Close(ctx)
}

// openGateway takes or opens the engine and puts the configuration's own parts before it.
func openGateway(ctx context.Context, cfg gateway.Config) (*gateway.Gateway, error) {
	value, _, err := engines.LoadOrNew(cfg.Key(), func() (caddy.Destructor, error) {
		engine, err := gateway.Open(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return pooledEngine{engine}, nil
	})
	if err != nil {
		return nil, err
	}
	g, err := gateway.New(ctx, value.(pooledEngine).Engine, cfg)
	if err != nil {
		_, _ = engines.Delete(cfg.Key())
		return nil, err
	}
	return g, nil
}

// closeGateway releases the engine exactly once per success of openGateway; a surplus Delete would take the
// reference of another instance and destroy a live engine (CADDY-FACTS section 1).
func closeGateway(g *gateway.Gateway) error {
	key := g.Config().Key()
	g.Close()
	_, err := engines.Delete(key)
	return err
}
