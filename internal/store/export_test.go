package store

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// LimitPages bounds an SQLite database to its present size, or lets it grow again.
func LimitPages(t testing.TB, s *Store, full bool) {
	t.Helper()
	var pages int
	if err := s.write.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if !full {
		pages = 1 << 30
	}
	if _, err := s.write.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
		t.Fatal(err)
	}
}

// Synchronous is the writer's setting.
func Synchronous(t testing.TB, s *Store) (mode int) {
	t.Helper()
	if err := s.write.QueryRow("PRAGMA synchronous").Scan(&mode); err != nil {
		t.Fatal(err)
	}
	return mode
}

// TLSWarnings judges a connection string.
func TLSWarnings(t testing.TB, dsn string) []string {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return tlsWarnings(cfg)
}

// Setting reads a setting of PostgreSQL within a transaction.
func Setting(t testing.TB, s *Store, name string) (value string) {
	t.Helper()
	err := s.Tx(context.Background(), func(tx *Tx) error {
		return tx.row(context.Background(), "read setting", "SELECT current_setting($1)", []any{name}, &value)
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// EndConnections has the server end every connection but the one that asks.
func EndConnections(t testing.TB, s *Store) {
	t.Helper()
	if _, err := s.write.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
		t.Fatal(err)
	}
}

// OpenConnections is how many connections the pool has.
func OpenConnections(s *Store) int { return s.open() }

// QueryRow runs a query that has one row as its result.
func QueryRow(t testing.TB, s *Store, query string, into ...any) {
	t.Helper()
	if err := s.write.QueryRow(query).Scan(into...); err != nil {
		t.Fatal(err)
	}
}

// Warnings returns what Open has logged that an operator should change, such as a connection without TLS (OP-01).
func (s *Store) Warnings() []string { return s.warnings }
