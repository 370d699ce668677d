package storetest

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest/pgtest"
)

// Both runs a test on a fresh SQLite file and on a fresh database of a real PostgreSQL server. The package's TestMain
// must end with pgtest.Main.
func Both(t *testing.T, test func(t *testing.T, cfg store.Config)) {
	t.Helper()
	for _, driver := range []string{"sqlite", "postgres"} {
		t.Run(driver, func(t *testing.T) { test(t, Fresh(t, driver)) })
	}
}

// Fresh configures an empty database that is deleted with the test.
func Fresh(t testing.TB, driver string) store.Config {
	t.Helper()
	if driver == "postgres" {
		return store.Config{Driver: driver, DSN: pgtest.Database(t)}
	}
	return store.Config{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "truxe.db")}
}

// Open opens a store that closes with the test.
func Open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, err := store.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
