package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// waitLimit bounds the wait for a connection or a lock: no request waits longer for the gateway itself.
	waitLimit = time.Second
	// workLimit bounds a transaction or a single statement, its wait included. A database this slow is unavailable.
	workLimit = 2 * time.Second
)

// Queries are the statements, on a store or within a transaction.
type Queries struct {
	s        *Store
	tx       *sql.Tx // nil: each call is a transaction of its own
	deadline time.Time
}

type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

type access int

const (
	reading access = iota
	writing
	streaming // a read of any length
)

// on runs do on the transaction or on a connection of its own, again while the database is contended.
func (q *Queries) on(ctx context.Context, how access, action string, do func(context.Context, runner) error) error {
	if q.tx != nil {
		within, cancel := context.WithDeadline(ctx, q.deadline)
		defer cancel()
		return wrap(action, translate(ctx, do(within, q.tx)))
	}
	pool := q.s.read
	if how == writing {
		pool = q.s.write
	}
	within, cancel := ctx, context.CancelFunc(func() {})
	if how != streaming {
		within, cancel = context.WithTimeout(ctx, workLimit)
	}
	defer cancel()
	return wrap(action, translate(ctx, again(within, func() error {
		conn, err := acquire(within, pool)
		if err != nil {
			return err
		}
		defer conn.Close()
		return do(within, conn)
	})))
}

func wrap(action string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", action, err)
}

// acquire waits for a connection. Callers that get none in time fail before starting: SQLite has one
// writer, PostgreSQL MaxConns of all kinds, and a queue longer than they work off in waitLimit is an overload:
// ErrNoTurn.
func acquire(ctx context.Context, pool *sql.DB) (*sql.Conn, error) {
	within, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	conn, err := pool.Conn(within)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", ErrNoTurn, err)
	}
	return conn, err
}

// again repeats do with growing, jittered pauses while others are in the way, for waitLimit at most.
func again(ctx context.Context, do func() error) error {
	start := time.Now()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 64*time.Millisecond) {
		err := do()
		if err == nil || !contended(err) || time.Since(start) >= waitLimit {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// exec runs a statement and tells how many rows it touched.
func (q *Queries) exec(ctx context.Context, action, query string, args ...any) (int64, error) {
	var n int64
	err := q.on(ctx, writing, action, func(ctx context.Context, db runner) error {
		res, err := db.ExecContext(ctx, query, args...)
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	return n, err
}

// mustExec is exec that must touch a row, else ErrNotFound.
func (q *Queries) mustExec(ctx context.Context, action, query string, args ...any) error {
	n, err := q.exec(ctx, action, query, args...)
	if err == nil && n == 0 {
		err = wrap(action, ErrNotFound)
	}
	return err
}

// row reads one row, else ErrNotFound.
func (q *Queries) row(ctx context.Context, action, query string, args []any, dest ...any) error {
	return q.one(ctx, reading, action, query, args, dest)
}

// change runs a statement with RETURNING that gives one row, else ErrNotFound.
func (q *Queries) change(ctx context.Context, action, query string, args []any, dest ...any) error {
	return q.one(ctx, writing, action, query, args, dest)
}

func (q *Queries) one(ctx context.Context, how access, action, query string, args, dest []any) error {
	return q.on(ctx, how, action, func(ctx context.Context, db runner) error {
		found := false
		err := each(ctx, db, query, args, func(scan scanner) error {
			found = true
			return scan(dest...)
		})
		if err == nil && !found {
			err = ErrNotFound
		}
		return err
	})
}

type scanner func(dest ...any) error

// rows calls fn for each row. fn must not use q. It starts over never: fn sees each row once.
func (q *Queries) rows(ctx context.Context, how access, action, query string, args []any,
	fn func(scanner) error) error {
	var stop error
	err := q.on(ctx, how, action, func(ctx context.Context, db runner) error {
		err := each(ctx, db, query, args, func(scan scanner) error {
			if err := fn(scan); err != nil {
				stop = &callerError{err}
				return stop
			}
			return nil
		})
		if errors.Is(err, stop) {
			return nil
		}
		return err
	})
	if stop != nil {
		return errors.Unwrap(stop)
	}
	return err
}

// callerError carries an error of the caller's function past the translation of the database's errors.
type callerError struct{ err error }

func (e *callerError) Error() string { return e.err.Error() }
func (e *callerError) Unwrap() error { return e.err }

func each(ctx context.Context, db runner, query string, args []any, fn func(scanner) error) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

// atomic runs do in this transaction or in a new one.
func (q *Queries) atomic(ctx context.Context, do func(*Queries) error) error {
	if q.tx != nil {
		return do(q)
	}
	return q.s.Tx(ctx, func(tx *Tx) error { return do(&tx.Queries) })
}
