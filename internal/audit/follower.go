package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// follower copies rows into the file, in order. One goroutine uses it, but for broken and wake.
type follower struct {
	store *store.Store
	path  string
	log   *slog.Logger
	now   func() time.Time
	// recovered hears that the file is written again and since when it was not. It must not block.
	recovered func(since time.Time, err error)

	woken   chan struct{}
	fault   atomic.Pointer[fault]
	writing atomic.Int64 // when the write under way began, Unix ns; 0: none is

	file *os.File
	last int64  // number of the last row in the file; -1: not known yet
	rest []byte // the rest of row last+1, whose beginning is in the file
}

type fault struct {
	since time.Time
	err   error
}

const (
	// writeTime bounds one write: a FIFO whose reader does not read must not block callers (FAULTS 21).
	writeTime = time.Second
	// followTime is how often rows of other nodes are looked for.
	followTime = time.Second
	// lockedTime is how often a file that another process follows is tried.
	lockedTime = 100 * time.Millisecond
	// page is how many rows are read at once.
	page = 500
)

var (
	errForeign = errors.New("it does not hold the audit log of this database; move it away, or name another file")
	errLocked  = errors.New("another process writes it")
)

func newFollower(st *store.Store, cfg Config) *follower {
	return &follower{store: st, path: cfg.File, log: cfg.Logger, now: cfg.Now, woken: make(chan struct{}, 1), last: -1,
		recovered: func(time.Time, error) {}}
}

func (f *follower) wake() {
	select {
	case f.woken <- struct{}{}:
	default:
	}
}

// broken is why the file cannot be written, as far as that is known before trying; nil while it can.
func (f *follower) broken() error {
	if at := f.fault.Load(); at != nil {
		return at.err
	}
	if since := f.writing.Load(); since != 0 && time.Since(time.Unix(0, since)) > writeTime {
		return errors.New("a write does not end")
	}
	return room(f.path)
}

// begin opens the file. Only content that is not ours is an error.
func (f *follower) begin(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		f.log.Error("the folder of the audit file cannot be made", "file", f.path, "error", err)
	}
	if err := f.step(ctx); errors.Is(err, errForeign) {
		return fmt.Errorf("audit file %s: %w", f.path, err)
	}
	return nil
}

func (f *follower) run(ctx context.Context) {
	defer f.close()
	wait := followTime
	for {
		select {
		case <-ctx.Done():
			within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_ = f.step(within)
			return
		case <-f.woken:
		case <-time.After(wait):
		}
		wait = followTime
		if errors.Is(f.step(ctx), errLocked) {
			wait = lockedTime
		}
	}
}

// step catches up once and notes whether that worked.
func (f *follower) step(ctx context.Context) error {
	err := f.catchUp(ctx)
	before := f.fault.Load()
	switch {
	case errors.Is(err, errLocked):
		// The other one follows the same database: the file is cared for. It is the one before a reload, or a node
		// beside this one.
		f.fault.Store(nil)
	case err != nil && errors.Is(err, store.ErrUnavailable), err != nil && ctx.Err() != nil:
		// The file is not to blame, and without the database nothing changes anyway.
	case err != nil && before == nil:
		f.fault.Store(&fault{f.now(), err})
		f.log.Error("the audit file cannot be written", "file", f.path, "error", err)
	case err != nil:
		f.fault.Store(&fault{before.since, err})
	case before != nil:
		f.fault.Store(nil)
		f.log.Info("the audit file is written again", "file", f.path)
		f.recovered(before.since, before.err)
	}
	return err
}

func (f *follower) catchUp(ctx context.Context) error {
	if err := f.open(ctx); err != nil {
		return err
	}
	for {
		rows, err := f.store.ListAudit(ctx, store.AuditFilter{After: f.last, Ascending: true, Limit: page})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := f.write(r); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
	}
}

// write writes one row, or what is missing of it.
func (f *follower) write(r store.AuditRow) error {
	data := f.rest
	if data == nil {
		data = append(append(make([]byte, 0, len(r.Line)+1), r.Line...), '\n')
	}
	f.writing.Store(time.Now().UnixNano())
	_ = f.file.SetWriteDeadline(time.Now().Add(writeTime)) // works for pipes; a regular file has none
	n, err := f.file.Write(data)
	f.writing.Store(0)
	if err != nil {
		if regular(f.file) {
			f.close() // its content is checked when it is opened again
		} else if n > 0 {
			f.rest = data[n:]
		}
		return err
	}
	f.last, f.rest = r.Seq, nil
	return nil
}

// open opens the file, again after it was rotated away, and finds where to go on. A new file begins with the next row:
// earlier lines are in the rotated file or in the database.
func (f *follower) open(ctx context.Context) error {
	if f.file != nil {
		there, err := os.Stat(f.path)
		mine, err2 := f.file.Stat()
		if err == nil && err2 == nil && os.SameFile(there, mine) {
			return nil
		}
		f.close()
	}
	file, err := f.openPath()
	if err != nil {
		return bare(err)
	}
	if regular(file) {
		if err = lock(file); err == nil {
			err = f.resume(ctx, file)
		}
	} else if f.last < 0 {
		err = f.startAtEnd(ctx)
	}
	if err != nil {
		_ = file.Close()
		return err
	}
	f.file = file
	return nil
}

func (f *follower) openPath() (*os.File, error) {
	if info, err := os.Stat(f.path); err == nil && !info.Mode().IsRegular() {
		return openPipe(f.path, info)
	}
	return os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
}

// bare leaves the path out of an error: every text around it names the file already.
func bare(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return fmt.Errorf("%s: %w", at.Op, at.Err)
	}
	return err
}

func (f *follower) startAtEnd(ctx context.Context) error {
	seq, _, err := f.store.AuditHead(ctx)
	if err == nil {
		f.last = seq
	}
	return err
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close()
		f.file = nil
	}
}

func regular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}
