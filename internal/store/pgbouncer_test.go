package store_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
	"github.com/truxeio/caddy-truxe/internal/store/storetest/pgtest"
)

// ED-25 FIELD 46 ED-22: the store keeps all its promises through a PgBouncer with its default settings, where
// connections are given to sessions, and where they are given to transactions.
func TestStoreBehindPgBouncer(t *testing.T) {
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) *store.Store {
				return storetest.Open(t, store.Config{Driver: "postgres", DSN: pgtest.Pooled(t, mode)})
			})
		})
	}
}

// ED-25 FIELD 46: what bounds a transaction holds behind a pooler too, and two nodes that start at once migrate once.
func TestTransactionsBehindPgBouncerAreBounded(t *testing.T) {
	ctx := context.Background()
	dsn := pgtest.Pooled(t, "transaction")
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil)) // its handler writes one record at a time
	opened := make(chan error, 2)
	var stores [2]*store.Store
	for i := range stores {
		go func() {
			var err error
			stores[i], err = store.Open(ctx, store.Config{Driver: "postgres", DSN: dsn, Logger: logger})
			opened <- err
		}()
	}
	for range stores {
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range stores {
		t.Cleanup(func() { _ = s.Close() })
	}
	if n := strings.Count(log.String(), "the database is up to date"); n != 1 ||
		stores[0].SchemaVersion() != stores[1].SchemaVersion() {
		t.Errorf("%d nodes migrated: %s", n, log.String())
	}
	var applied, versions int
	store.QueryRow(t, stores[0], "SELECT COUNT(*), COUNT(DISTINCT version_id) FROM schema_version WHERE is_applied",
		&applied, &versions)
	if applied != versions || int64(versions) != stores[0].SchemaVersion()+1 { // goose's own row is version 0
		t.Errorf("%d rows for %d versions; the last is %d", applied, versions, stores[0].SchemaVersion())
	}
	got := store.Setting(t, stores[0], "lock_timeout") + " " + store.Setting(t, stores[0],
		"idle_in_transaction_session_timeout")
	if got != "1s 10s" {
		t.Errorf("settings of a transaction: %s", got)
	}
}

// Control: without a pooler the settings are the connection's.
func TestSettingsAreMadeAfterConnecting(t *testing.T) {
	cfg := storetest.Fresh(t, "postgres")
	cfg.DSN += "&statement_timeout=7000"
	s := storetest.Open(t, cfg)
	if got := store.Setting(t, s, "lock_timeout") + " " + store.Setting(t, s, "statement_timeout") + " " + store.Setting(t,
		s, "TimeZone"); !strings.EqualFold(got, "1s 7s UTC") {
		t.Errorf("settings: %s", got)
	}
}

// ED-25 a search path of the connection string would hold for some statements alone behind a pooler; the error says
// where it belongs. On the role, it holds.
func TestSearchPathBehindPgBouncerIsRefused(t *testing.T) {
	for _, mode := range []string{"session", "transaction"} {
		dsn := pgtest.Pooled(t, mode)
		refuses(t, store.Config{Driver: "postgres", DSN: dsn + "&search_path=one"}, "search_path", "ALTER ROLE", "pooler")
		storetest.Open(t, store.Config{Driver: "postgres", DSN: dsn})
	}
}

// Control: without a pooler a search path of several schemas is one.
func TestSearchPathOfSeveralSchemas(t *testing.T) {
	cfg := storetest.Fresh(t, "postgres")
	raw(t, cfg, "CREATE SCHEMA one")
	cfg.DSN += "&search_path=one,public"
	s := storetest.Open(t, cfg)
	must(t, s.SetMeta(context.Background(), "k", "v"))
	raw(t, cfg, "SELECT value FROM one.meta")
}
