package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Config of a store.
type Config struct {
	// Driver is "sqlite" (default) or "postgres".
	Driver string
	// DSN is a file for sqlite, a connection string or URL for postgres.
	DSN string
	// MaxConns bounds the connections to PostgreSQL and the readers of SQLite. Default 20 and 4.
	MaxConns int
	Logger   *slog.Logger
	// Now stamps when a revocation was recorded. Default time.Now.
	Now func() time.Time
}

// Store is an open database. Its methods outside a transaction are those of Queries.
type Store struct {
	Queries
	read     *sql.DB
	write    *sql.DB // the same as read on PostgreSQL
	logger   *slog.Logger
	now      func() time.Time
	pool     *pgxpool.Pool // of PostgreSQL
	stop     func()        // ends what follows the pool
	perTx    string        // settings of each transaction, behind a pooler
	warnings []string
	version  int64
}

// Open opens a database and brings its tables up to date. It refuses one that it cannot trust (corrupt, written by a
// newer version, half migrated, read-only) with an error that says what to do, and never deletes anything.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Store{logger: cfg.Logger, now: cfg.Now}
	s.Queries = Queries{s: s}
	var err error
	switch cfg.Driver {
	case "", "sqlite":
		err = s.openSQLite(ctx, cfg)
	case "postgres":
		err = s.openPostgres(ctx, cfg)
	default:
		return nil, errors.New("unknown kind of database; use sqlite or postgres")
	}
	if err == nil {
		err = s.checkTables(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	for _, w := range s.warnings {
		s.logger.Warn(w)
	}
	return s, nil
}

// SchemaVersion is the number of the last migration.
func (s *Store) SchemaVersion() int64 { return s.version }

// Ping reports whether the database answers, in a second at most.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.row(ctx, "ping", "SELECT 1", nil, &one)
}

// Close waits for running statements and closes the database.
func (s *Store) Close() error {
	var err error
	if s.stop != nil {
		s.stop()
	}
	if s.write != nil && s.write != s.read {
		err = s.write.Close()
	}
	if s.read != nil {
		err = errors.Join(err, s.read.Close())
	}
	if s.pool != nil {
		s.pool.Close()
	}
	return err
}
