package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// Open connects and migrates. It refuses a database that is damaged, half migrated or of a newer version, and never
// wipes one (FAULTS 13).
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch c.Driver {
	case "sqlite":
		return openSQLite(ctx, c)
	case "postgres":
		return openPostgres(ctx, c)
	}
	return nil, fmt.Errorf("unknown database %q", c.Driver)
}

// openSQLite uses one connection for writes, so that writers queue in order, and a few for reads. synchronous=FULL: an
// acknowledged revocation survives a power cut (FAULTS 19).
func openSQLite(ctx context.Context, c Config) (*Store, error) {
	if err := prepareFile(c.DSN); err != nil {
		return nil, err
	}
	dsn := "file:" + (&url.URL{Path: c.DSN}).EscapedPath() +
		"?_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=cache_size(-8000)"
	write, err := sql.Open("sqlite", dsn+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	s := &Store{Queries: &Queries{db: read, d: sqliteDialect}, read: read, write: write, log: c.Logger}
	s.Queries.db = split{read: read, write: write}
	if err := s.check(ctx); err == nil {
		err = s.migrate(ctx, goose.DialectSQLite3, "migrations/sqlite")
		if err == nil {
			return s, nil
		}
		return nil, errors.Join(fmt.Errorf("database %s: %w", c.DSN, err), s.Close())
	} else {
		return nil, errors.Join(fmt.Errorf("database %s is damaged: %w; restore it from a backup, or move it away to start anew", c.DSN, err), s.Close())
	}
}

// check finds a damaged file before anything is written to it.
func (s *Store) check(ctx context.Context) error {
	var result string
	if err := s.read.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return errors.New(result)
	}
	return nil
}

// split sends single statements that write to the writing connection.
type split struct{ read, write *sql.DB }

func (s split) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return s.write.ExecContext(ctx, query, args...)
}

func (s split) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.read.QueryContext(ctx, query, args...)
}

func (s split) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if strings.HasPrefix(query, "SELECT") {
		return s.read.QueryRowContext(ctx, query, args...)
	}
	return s.write.QueryRowContext(ctx, query, args...)
}

// prepareFile makes the folder and the file private before SQLite does otherwise.
func prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the database's folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Clean(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	return f.Close()
}

func openPostgres(ctx context.Context, c Config) (*Store, error) {
	cfg, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		return nil, errors.New("storage postgres: the connection string cannot be read") // the driver's text may quote it
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = time.Second
	}
	if cfg.RuntimeParams["statement_timeout"] == "" {
		cfg.RuntimeParams["statement_timeout"] = "5000"
	}
	cfg.RuntimeParams["lock_timeout"] = "1000"
	cfg.RuntimeParams["application_name"] = "truxe"
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(10)
	db.SetConnMaxIdleTime(5 * time.Minute)
	s := &Store{Queries: &Queries{db: db, d: postgresDialect}, read: db, write: db, log: c.Logger}
	if cfg.TLSConfig == nil && !isLocal(cfg.Host) {
		s.warnings = append(s.warnings, "the connection to PostgreSQL is not encrypted; add sslmode=verify-full to the connection string")
	} else if cfg.TLSConfig != nil && cfg.TLSConfig.InsecureSkipVerify && !isLocal(cfg.Host) {
		s.warnings = append(s.warnings, "the certificate of PostgreSQL is not verified; use sslmode=verify-full")
	}
	if err := s.migrate(ctx, goose.DialectPostgres, "migrations/postgres"); err != nil {
		return nil, errors.Join(fmt.Errorf("postgres: %w", err), s.Close())
	}
	return s, nil
}

func isLocal(host string) bool {
	if strings.HasPrefix(host, "/") || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// migrate brings the schema up to date. On PostgreSQL a session lock lets one of several starting nodes do it while the
// others wait; on SQLite each migration is one exclusive transaction (FAULTS 15).
func (s *Store) migrate(ctx context.Context, dialect goose.Dialect, dir string) error {
	files, err := fs.Sub(migrations, dir)
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithVerbose(false)}
	if dialect == goose.DialectPostgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, s.write, files, options...)
	if err != nil {
		return err
	}
	have, want := int64(0), int64(0)
	for _, source := range p.ListSources() {
		want = max(want, source.Version)
	}
	if have, err = p.GetDBVersion(ctx); err == nil && have > want {
		return fmt.Errorf("its schema is version %d, this program knows %d: it was used by a newer version; run that one", have, want)
	}
	for attempt := 0; ; attempt++ {
		_, err = p.Up(ctx)
		if err == nil {
			return nil
		}
		// SQLite has no session lock: a node that lost the race finds the tables there and looks again
		if now, e := p.GetDBVersion(ctx); e == nil && now == want {
			return nil
		}
		if attempt == 20 || dialect == goose.DialectPostgres {
			return fmt.Errorf("migrate the schema from version %d to %d: %w", have, want, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
