package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// checkLimit bounds the look through a database file at start; what it does not reach is found when it is read.
const checkLimit = 2 * time.Second

func (s *Store) openSQLite(ctx context.Context, cfg Config) error {
	path, err := filepath.Abs(cfg.DSN)
	if err != nil || cfg.DSN == "" || strings.Contains(cfg.DSN, "://") {
		return fmt.Errorf("storage sqlite needs the path of a file")
	}
	if err := s.prepareFile(path); err != nil {
		return err
	}
	readers := cfg.MaxConns
	if readers <= 0 {
		readers = 4
	}
	// FULL: an acknowledged revocation survives a power cut (FAULTS 19). BEGIN IMMEDIATE: a transaction that will write
	// waits at its start, not in its middle where SQLite could only fail it.
	if s.write, err = openFile(path, 1, "journal_mode(WAL)", "synchronous(FULL)"); err != nil {
		return err
	}
	if s.read, err = openFile(path, readers, "query_only(1)"); err != nil {
		return err
	}
	if err := s.check(ctx, path); err != nil {
		return err
	}
	if err := s.migrateSQLite(ctx); err != nil {
		return err
	}
	return openAll(ctx, s.read, readers)
}

// openAll opens every connection of a pool, so that the first callers find them.
func openAll(ctx context.Context, db *sql.DB, n int) error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	for range n {
		conn, err := db.Conn(ctx)
		if err != nil {
			return fmt.Errorf("open the database for reading: %w", err)
		}
		defer conn.Close() // together at the end: one that is given back is handed out again
	}
	return nil
}

// prepareFile creates folder and file readable by their owner only, before SQLite would create them with the umask.
// SQLite creates its -wal and -shm files with the mode of the database.
func (s *Store) prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return ownerHint(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return ownerHint(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case mode.Perm()&0o200 == 0:
		return fmt.Errorf("%s is read-only (mode %04o); make it writable for the user that runs Caddy: chmod 600", path,
			mode.Perm())
	case mode.Perm()&0o077 != 0:
		if err := f.Chmod(0o600); err != nil {
			return fmt.Errorf("%s can be read by others (mode %04o) and that could not be changed: %w", path, mode.Perm(), err)
		}
		s.warnings = append(s.warnings, fmt.Sprintf("%s could be read by others (mode %04o); it is 0600 now", path,
			mode.Perm()))
	}
	return nil
}

func openFile(path string, conns int, pragmas ...string) (*sql.DB, error) {
	args := []string{"_txlock=immediate"}
	for _, p := range append([]string{"busy_timeout(200)", "foreign_keys(1)", "trusted_schema(0)"}, pragmas...) {
		args = append(args, "_pragma="+p)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+strings.Join(args, "&"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// check refuses a file that is no database or a broken one. It looks at everything that fits into checkLimit.
func (s *Store) check(ctx context.Context, path string) error {
	err := again(ctx, func() error { // another process may be starting or recovering
		var mode string
		if err := s.write.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
			return err
		}
		if mode != "wal" {
			return fmt.Errorf("%s does not allow a write-ahead log (journal mode %s); is it on a network file system?", path,
				mode)
		}
		return nil
	})
	if err != nil {
		return explain(path, err)
	}
	within, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	var verdict string
	switch err := s.write.QueryRowContext(within, "PRAGMA quick_check(1)").Scan(&verdict); {
	case err != nil && within.Err() != nil && ctx.Err() == nil:
		s.logger.Info("the database is large and was checked in part", "file", path)
		return nil
	case err != nil:
		return explain(path, err)
	case verdict != "ok":
		return explain(path, fmt.Errorf("quick_check: %s", verdict))
	}
	return nil
}

// explain says what is wrong with a file in an operator's words.
func explain(path string, err error) error {
	const keep = "nothing was changed. Stop every process that uses it, keep a copy, and restore a backup (or salvage it with: sqlite3 FILE .recover)"
	var e *sqlite.Error
	if !errors.As(err, &e) {
		if strings.HasPrefix(err.Error(), "quick_check") {
			return fmt.Errorf("%s is corrupt (%w); %s", path, err, keep)
		}
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s is not an SQLite database, or its beginning was overwritten (%w); %s", path, err, keep)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%s is corrupt (%w); %s", path, err, keep)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%s cannot be written (%w); the user that runs Caddy must own the file and its folder", path, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%s: the disk is full (%w); make room and start again", path, err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("%s is locked by another process (%w); stop it and start again", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}
