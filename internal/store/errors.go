package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// What callers branch on.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("already exists")       // a *ConflictError
	ErrInvalid     = errors.New("not storable")         // text with NUL or broken UTF-8 in a field that must stay as it is
	ErrUnavailable = errors.New("database unavailable") // wraps the driver's or network's error
	// ErrNoTurn is an ErrUnavailable of which it is known that nothing was begun: others had every connection for too
	// long.
	ErrNoTurn = errors.New("no connection was free in time")
)

// ConflictError says which field is taken: "username", "email", "first_user", or the name of a key.
type ConflictError struct{ Field string }

func (e *ConflictError) Error() string { return e.Field + " already exists" }

// Is reports true for ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// unavailableError keeps the cause for the log and for the decision to try again.
type unavailableError struct{ cause error }

func (e *unavailableError) Error() string        { return "database unavailable: " + e.cause.Error() }
func (e *unavailableError) Unwrap() error        { return e.cause }
func (e *unavailableError) Is(target error) bool { return target == ErrUnavailable }

// As reports true for an *identity.Error, which is then CodeStateUnavailable: callers that only look for a code need
// not know this package.
func (e *unavailableError) As(target any) bool {
	coded, ok := target.(**identity.Error)
	if ok {
		*coded = identity.Unavailable(e)
	}
	return ok
}

// translate turns a driver's error into one of ours. ctx is the caller's, without our own deadline.
func translate(ctx context.Context, err error) error {
	if err == nil || known(err) {
		return err
	}
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	err = plainConnect(err)
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	var refused *connectError
	if errors.As(err, &refused) {
		return &unavailableError{err}
	}
	var lite *sqlite.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &lite):
		return translateSQLite(lite)
	case errors.As(err, &pg):
		return translatePostgres(pg)
	}
	return &unavailableError{err} // network, pool, closed, timed out
}

func known(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) || errors.Is(err, ErrInvalid) ||
		errors.Is(err, ErrUnavailable)
}

func translateSQLite(e *sqlite.Error) error {
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return &ConflictError{Field: "row"}
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return ErrNotFound // what the row refers to has been deleted
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISMATCH,
		sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG:
		return fmt.Errorf("statement: %w", e)
	}
	return &unavailableError{e} // busy, full, read-only, I/O, corrupt, out of memory, interrupted
}

func translatePostgres(e *pgconn.PgError) error {
	switch e.Code {
	case "23505":
		return &ConflictError{Field: "row"}
	case "23503":
		return ErrNotFound
	case "22021": // text that is not in the server's encoding
		return fmt.Errorf("%w: %s", ErrInvalid, e.Message)
	case "25006": // read-only: a standby, or a disk that ran full
		return &unavailableError{e}
	}
	switch e.Code[:min(2, len(e.Code))] {
	case "08", "28", "3D", "40", "53", "55", "57", "58", "XX":
		return &unavailableError{e}
	}
	return fmt.Errorf("statement: %w", e)
}

// contended reports whether the same transaction may succeed if it is run again after the error.
func contended(err error) bool {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		code := lite.Code() & 0xff
		return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01" || pg.Code == "55P03")
}

// Unavailable returns identity.CodeStateUnavailable for a database that did not answer, in time or at all. Errors that
// have a code, other errors, and nil stay as they are.
func Unavailable(err error) error {
	var coded *identity.Error
	if err == nil || errors.As(err, &coded) {
		return err
	}
	if errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return identity.Unavailable(err)
	}
	return err
}

// taken names the field of a conflict.
func taken(err error, field string) error {
	if errors.Is(err, ErrConflict) {
		return &ConflictError{Field: field}
	}
	return err
}
