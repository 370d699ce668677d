package store

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// dialect is what differs between the databases besides the DDL: how their errors read.
type dialect struct {
	name      string
	conflict  func(error) bool
	retryable func(error) bool
}

var sqliteDialect = &dialect{
	name: "sqlite",
	conflict: func(err error) bool {
		code := sqliteCode(err)
		return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	},
	retryable: func(err error) bool {
		code := sqliteCode(err) & 0xff
		return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
	},
}

func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

var postgresDialect = &dialect{
	name:     "postgres",
	conflict: func(err error) bool { return pgCode(err) == "23505" },
	retryable: func(err error) bool {
		code := pgCode(err)
		return code == "40001" || code == "40P01" || code == "55P03"
	},
}

func pgCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// clean makes text that both databases can store: PostgreSQL refuses NUL and invalid UTF-8.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
