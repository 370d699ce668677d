// Package store keeps durable truth in SQL: users, sessions, refresh families, revocations, keys, devices, one-time
// codes and the audit log, on SQLite or PostgreSQL. One set of parameterised statements serves both; only the DDL and
// the way of opening differ.
//
// Times are Unix milliseconds, so a time read back is the one written cut to a millisecond; 0 is the zero time. Lists
// are JSON text. Every method takes a context first, waits at most a second for a lock or a connection, and returns
// errors that answer to errors.Is: ErrNotFound, ErrConflict, ErrInvalid, ErrUnavailable (callers answer 503).
package store
