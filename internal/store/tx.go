package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Tx is a write transaction: all of it happens or nothing. On SQLite it has the only writer from its first moment; on
// PostgreSQL it is read committed, and what must not race takes a row lock.
type Tx struct {
	Queries
	after []func()
}

// Lock serializes the transactions of all nodes that lock the same name. Names are few and fixed.
func (t *Tx) Lock(ctx context.Context, name string) error { return t.lock(ctx, name) }

func (q *Queries) lock(ctx context.Context, name string) error {
	_, err := q.exec(ctx, "lock "+name,
		"INSERT INTO locks (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name", name)
	return err
}

// AfterCommit runs fn once the transaction is durable; never when it is not.
func (t *Tx) AfterCommit(fn func()) { t.after = append(t.after, fn) }

// Tx runs fn in a write transaction and commits when it returns nil. When others are in the way it is run again, for a
// second at most, then the error is ErrUnavailable: fn must have no effect but on tx and on what it sets anew each
// time. After an error of a commit the outcome is unknown. The transaction ends after two seconds whatever fn does.
func (s *Store) Tx(ctx context.Context, fn func(*Tx) error) error {
	var after []func()
	err := again(ctx, func() error {
		after = nil
		return s.once(ctx, fn, &after)
	})
	if err != nil {
		return err
	}
	for _, f := range after {
		f()
	}
	return nil
}

func (s *Store) once(ctx context.Context, fn func(*Tx) error, after *[]func()) error {
	deadline := time.Now().Add(workLimit)
	within, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := acquire(within, s.write)
	if err != nil {
		return wrap("begin", translate(ctx, err))
	}
	defer conn.Close()
	raw, err := conn.BeginTx(within, nil)
	if err != nil {
		return wrap("begin", translate(ctx, err))
	}
	defer raw.Rollback() //nolint:errcheck // after a commit it does nothing; otherwise the first error counts
	if s.perTx != "" {
		if _, err := raw.ExecContext(within, s.perTx, pgx.QueryExecModeSimpleProtocol); err != nil {
			return wrap("begin", translate(ctx, err))
		}
	}
	tx := &Tx{Queries: Queries{s: s, tx: raw, deadline: deadline}}
	if err := fn(tx); err != nil {
		return err
	}
	if err := raw.Commit(); err != nil {
		if errors.Is(err, sql.ErrTxDone) && within.Err() != nil {
			err = fmt.Errorf("took longer than %v: %w", workLimit, within.Err())
		}
		return wrap("commit", translate(ctx, err))
	}
	*after = tx.after
	return nil
}
