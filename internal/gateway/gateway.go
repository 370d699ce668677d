package gateway

import (
	"context"
	"net/http"
	"sync"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/console"
	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/outbox"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/portal"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// Gateway is one configuration in front of an engine.
type Gateway struct {
	cfg      Config
	engine   *Engine
	changes  *change.Changes
	people   *people.Directory
	signin   *signin.Parts
	gate     *gate.Gate
	portal   *portal.Portal
	notices  *outbox.Worker // nil without a mail server
	policies *rules.Watcher // nil without policy files
	console  *console.Console
	origins  *origin.Book

	stop context.CancelFunc // ends what runs for this configuration
	done sync.WaitGroup
}

// New puts a configuration in front of an engine and does what a start is due: the first administrator, the users file,
// the setup link.
func New(ctx context.Context, e *Engine, cfg Config) (*Gateway, error) {
	cfg = cfg.withDefaults()
	g := &Gateway{cfg: cfg, engine: e, stop: func() {}}
	if err := g.build(); err != nil {
		return nil, err
	}
	if err := g.firstStart(ctx); err != nil {
		return nil, err
	}
	if !cfg.Offline {
		for _, w := range cfg.looseFiles() {
			cfg.Logger.Warn(w)
		}
		run, stop := context.WithCancel(context.WithoutCancel(ctx))
		g.stop = stop
		g.watchUsersFile(run)
		if g.policies != nil {
			g.done.Go(func() { g.policies.Run(run) })
		}
		if g.notices != nil {
			g.done.Go(func() { g.notices.Run(run) })
		}
	}
	return g, nil
}

// Origins are what the hosts of this configuration are called outside.
func (g *Gateway) Origins() *origin.Book { return g.origins }

// Gate judges requests.
func (g *Gateway) Gate() *gate.Gate { return g.gate }

// ServePortal answers the gateway's own URLs.
func (g *Gateway) ServePortal(w http.ResponseWriter, r *http.Request, client authn.Client, only bool) {
	g.portal.Serve(w, r, client, only)
}

// Console is what operators can do.
func (g *Gateway) Console() *console.Console { return g.console }

// Config is the configuration, with defaults.
func (g *Gateway) Config() Config { return g.cfg }

// Close ends what belongs to this configuration; the engine goes on.
func (g *Gateway) Close() {
	g.stop()
	g.done.Wait()
}
