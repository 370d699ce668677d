package gateway

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/regular"
)

func (g *Gateway) applyUsersFile(ctx context.Context) error {
	file, err := people.ReadUsersFile(g.cfg.UsersFile)
	if err != nil {
		return err
	}
	created, changed, err := g.people.ApplyUsersFile(ctx, file)
	if err != nil {
		return fmt.Errorf("users_file: %w", err)
	}
	if created+changed > 0 {
		g.cfg.Logger.Info("applied the users file", "created", created, "changed", changed)
	}
	return nil
}

// watchUsersFile applies the file again when its content changes: Caddy does not reload a configuration that is equal
// to the byte (CADDY-FACTS section 1). A file that cannot be read keeps what was applied before.
func (g *Gateway) watchUsersFile(run context.Context) {
	if g.cfg.UsersFile == "" {
		return
	}
	last := fileSum(g.cfg.UsersFile)
	g.done.Add(1)
	go func() {
		defer g.done.Done()
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-run.Done():
				return
			case <-tick.C:
			}
			sum := fileSum(g.cfg.UsersFile)
			if sum == last {
				continue
			}
			last = sum
			if err := g.applyUsersFile(run); err != nil {
				g.cfg.Logger.Error("the users file was not applied", "error", err)
			}
		}
	}()
}

// fileSum identifies what a look has found, failures included.
func fileSum(path string) [32]byte {
	raw, err := regular.Read(path, people.MaxUsersFile)
	if err != nil {
		raw = []byte("error " + err.Error())
	}
	return sha256.Sum256(raw)
}
