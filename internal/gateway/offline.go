package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/truxeio/caddy-truxe/internal/console"
)

// ErrNoStore says that there is no store where the configuration has it. Only setup makes one: a store that another
// command made, such as in the home of root, is not the one that Caddy reads.
var ErrNoStore = errors.New("there is no store")

// Offline runs one call of the command line on the store itself, for when Caddy is stopped.
func Offline(ctx context.Context, cfg Config, name string, args json.RawMessage) (any, error) {
	if err := Check(cfg); err != nil {
		return nil, err
	}
	cfg.Offline = true
	cfg = cfg.withDefaults()
	cfg.Existing = name != "setup.create" && name != "setup.link"
	if path := cfg.StoreFile(); path != "" && cfg.Existing {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w at %s", ErrNoStore, path)
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
	return g.console.Call(ctx, console.CommandLine, name, args)
}

// StoreFile is the file of a SQLite store, "" for other stores.
func (c Config) StoreFile() string {
	if c = c.withDefaults(); c.Storage.Driver == "sqlite" {
		return c.Storage.DSN
	}
	return ""
}
