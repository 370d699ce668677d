package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/console"
	"github.com/truxeio/caddy-truxe/internal/people"
)

// firstStart creates the first administrator from the environment, or logs the setup link.
func (g *Gateway) firstStart(ctx context.Context) error {
	if g.cfg.UsersFile != "" {
		if err := g.applyUsersFile(ctx); err != nil {
			return err
		}
	}
	needed, err := g.people.NeedsSetup(ctx)
	if err != nil || !needed {
		return err
	}
	if a := g.cfg.Admin; a.Username != "" && a.Password != "" && !g.cfg.Offline {
		_, err := g.people.CreateFirstAdmin(ctx, change.By{Via: "environment"},
			people.NewUser{Username: a.Username, Email: a.Email, Password: a.Password})
		if errors.Is(err, people.ErrSetUp) {
			return nil // another node was faster
		}
		if err != nil {
			return fmt.Errorf("create the first administrator from TRUXE_ADMIN_*: %w", err)
		}
		g.cfg.Logger.Info("created the first administrator from the environment", "username", a.Username)
		return nil
	}
	if !g.cfg.Offline {
		link, err := g.console.CreateSetupLink(ctx, change.By{Via: "setup"}, console.None{})
		switch {
		case errors.Is(err, people.ErrSetUp):
		case err != nil:
			g.cfg.Logger.Warn("no users yet, and no setup link could be made; run: caddy truxe setup", "error", err)
		default:
			g.cfg.Logger.Warn("no users yet: create the first admin at " + link.URL +
				"  (once, within 1 h), or run: caddy truxe setup")
		}
	}
	return nil
}
