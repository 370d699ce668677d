package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

const (
	versionTable = "schema_version"
	// migrateLimit bounds the wait for another node that migrates, and the migration itself.
	migrateLimit = 5 * time.Minute
	// migrateLock is the advisory lock of PostgreSQL under which one node migrates: "truxe" in ASCII.
	migrateLock = 0x7472757865
)

// migrateSQLite relies on each migration being one immediate transaction with its version row: of two processes the
// second fails on what the first has made, looks again and finds nothing left to do.
func (s *Store) migrateSQLite(ctx context.Context) error {
	var err error
	for range 5 {
		if err = s.migrate(ctx, goose.DialectSQLite3); err == nil || isNewer(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return err
}

// migratePostgres holds an advisory lock, which ends with its transaction, so a killed node leaves none. A lock of the
// session would stay with a pooler's connection.
func (s *Store) migratePostgres(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateLimit)
	defer cancel()
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for waited := false; ; {
		held, err := s.lockMigration(ctx, conn)
		if err != nil {
			return fmt.Errorf("lock for migration: %w", err)
		}
		if held != nil {
			defer held.Rollback() //nolint:errcheck // it only held the lock
			break
		}
		if !waited {
			s.logger.Info("another node brings the database up to date; waiting for it")
			waited = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for another node's migration: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return s.migrate(ctx, goose.DialectPostgres)
}

// lockMigration returns the transaction that holds the lock, nil when another node has it.
func (s *Store) lockMigration(ctx context.Context, conn *sql.Conn) (*sql.Tx, error) {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	var held bool
	if err = tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock($1)", int64(migrateLock)).Scan(&held); err == nil &&
		held {
		if _, err = tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err == nil {
			return tx, nil
		}
	}
	return nil, errors.Join(err, tx.Rollback())
}

type newerError struct{ have, know int64 }

func (e newerError) Error() string {
	return fmt.Sprintf("the database has version %d, this program knows %d: a newer version of the gateway has written it. "+
		"Start that version, or restore the backup made before the upgrade; nothing was changed", e.have, e.know)
}

func isNewer(err error) bool {
	var newer newerError
	return errors.As(err, &newer)
}

func (s *Store) migrate(ctx context.Context, dialect goose.Dialect) error {
	dir := "migrations/sqlite"
	if dialect == goose.DialectPostgres {
		dir = "migrations/postgres"
	}
	files, err := fs.Sub(migrations, dir)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, s.write, files, goose.WithTableName(versionTable),
		goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(s.logger))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	have, know, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the version of the database: %w", err)
	}
	if have > know {
		return newerError{have, know}
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("bring the database from version %d to %d: %w; each step is one transaction, so nothing is half done by it: "+
			"if tables exist that this database's version does not account for, restore a backup", have, know, err)
	}
	if len(done) > 0 {
		s.logger.Info("the database is up to date", "from", have, "to", know)
	}
	s.version = know
	return nil
}

// tables are the columns that the statements need.
var tables = map[string]string{
	"users":           userColumns + ", username_key, email_key, search",
	"login_names":     "key, user_id",
	"sessions":        sessionColumns,
	"families":        familyColumns + ", revoke_reason",
	"refresh_tokens":  "hash, family_id, created, used_at",
	"revocations":     "kind, name, at, expires, reason, created",
	"signing_keys":    keyColumns,
	"devices":         deviceColumns,
	"totp_secrets":    totpColumns,
	"recovery_codes":  "hash, user_id, created, used_at",
	"passkeys":        passkeyColumns,
	"pending_signins": pendingColumns,
	"factor_settings": "user_id, preferred, failures",
	"one_times":       "kind, hash, subject, created, expires",
	"mails":           mailColumns + ", ended, outcome",
	"decisions":       "key, " + decisionColumns,
	"meta":            "key, value",
	"locks":           "name",
	"audit":           auditColumns,
	"audit_head":      "id, seq, hash",
}

// checkTables refuses a database whose version says more than its tables hold: half migrated or half restored.
func (s *Store) checkTables(ctx context.Context) error {
	for table, columns := range tables {
		if _, err := s.write.ExecContext(ctx, "SELECT "+columns+" FROM "+table+" WHERE 1 = 0"); err != nil {
			return fmt.Errorf("the database says it has version %d, but table %s is missing or different (%w): it is half migrated or half restored. "+
				"Restore a complete backup; nothing was changed", s.version, table, err)
		}
	}
	var seq int64
	err := s.write.QueryRowContext(ctx, "SELECT seq FROM audit_head WHERE id = 1").Scan(&seq)
	if err == sql.ErrNoRows {
		return fmt.Errorf("the database has no head of the audit chain: it is half restored. Restore a complete backup; nothing was changed")
	}
	return err
}
