// Package claim keeps an SQLite store to one process. Without Redis a process does not learn of a change that another
// one makes, and so would let in what the other has revoked (R4). A lock on the file speaks to processes that see it, a
// mark in the database to all others.
package claim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ErrInUse says that another process holds the store for itself: it would not learn of a change made beside it.
var ErrInUse = errors.New("the store is in use by another process")

const (
	// handoverLimit bounds the wait for the process before, as in a rolling update.
	handoverLimit = 20 * time.Second
	// commandLimit bounds the wait for a command of the command line, and its own.
	commandLimit = 5 * time.Second
	retryPause   = 100 * time.Millisecond
)

// heldError names the process that holds a store.
type heldError struct {
	path string
	by   holder
}

func (e *heldError) Error() string {
	return fmt.Sprintf("the store %s is in use by %s; without redis, two processes on one store do not learn of each other's revocations: "+
		"stop that process (in Kubernetes: strategy Recreate), or configure the same redis for both", e.path, e.by)
}

func (*heldError) Is(target error) bool { return target == ErrInUse }

// claims are the SQLite stores that this process uses, by path. The engines of one process share a claim: during a
// reload there can be two of them.
var claims = struct {
	sync.Mutex
	of map[string]*sharedClaim
}{of: map[string]*sharedClaim{}}

// sharedClaim is this process's claim on one store.
type sharedClaim struct {
	path   string
	lock   *store.FileLock // nil: the file system has no locks, and the mark in the database is all there is
	locals int             // engines that share nothing with other processes
	nodes  int             // engines that hear of other processes through Redis
	local  *cluster.Local  // what the locals share

	marking sync.Mutex   // while the mark in the database is read and written
	marked  bool         // it is ours; guarded by marking
	terms   atomic.Int32 // how often another process has taken the store over
}

// Options say what is claimed, and for whom.
type Options struct {
	Path    string // of the SQLite file
	Alone   bool   // this process shares nothing with others: no Redis
	Command bool   // it is a command of the command line, which ends soon
	Site    string // an address that it serves, for the error that another process gets
	Logger  *slog.Logger
	Now     func() time.Time
}

// Claim is an engine's part in the claim of this process. A nil Claim is for stores that many processes share by
// design.
type Claim struct {
	*sharedClaim
	Options
	self  holder
	term  int32     // of the shared claim when this part was taken
	until time.Time // when waiting for another process ends
	once  sync.Once
}

// Take claims a store, and waits for another process that holds it. The error is ErrInUse when that one does not end.
func Take(ctx context.Context, o Options) (*Claim, error) {
	path, err := realPath(o.Path)
	if err != nil {
		return nil, err
	}
	limit := handoverLimit
	if o.Command {
		limit = commandLimit
	}
	c := &Claim{Options: o, self: holderOf(o), until: time.Now().Add(limit)}
	for waiting := false; ; waiting = true {
		by, err := c.take(path)
		if !errors.Is(err, store.ErrLocked) {
			return c, err
		}
		if time.Now().After(c.until) || o.Command && !by.Command {
			return nil, &heldError{path, by}
		}
		if !waiting {
			o.Logger.Info("waiting for the store: it is in use by "+by.String(), "file", path, "limit", limit)
		}
		if err := sleep(ctx, retryPause); err != nil {
			return nil, &heldError{path, by}
		}
	}
}

// Local returns what the engines of this process share.
func (c *Claim) Local() *cluster.Local { return c.local }

// realPath is where a database is or will be, without links: two engines of one process must find one claim, though the
// first of them makes the file.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for range 40 { // as many links as Linux follows
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return path, nil //nolint:nilerr // the lock file cannot be made there either, and that error says what to do
		}
		folder, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		path = filepath.Join(folder, filepath.Base(path))
		target, err := os.Readlink(path)
		if err != nil { // no link
			return path, nil //nolint:nilerr // as above
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(folder, target)
		}
		path = target
	}
	return "", fmt.Errorf("%s: too many links", path)
}

// take adds an engine to this process's claim, or makes one.
func (c *Claim) take(path string) (by holder, err error) {
	claims.Lock()
	defer claims.Unlock()
	s := claims.of[path]
	switch {
	case s == nil:
		s = &sharedClaim{path: path, local: cluster.NewLocal(cluster.LocalOptions{})}
		var text []byte
		s.lock, text, err = store.LockFile(path, !c.Alone)
		if err != nil && !errors.Is(err, store.ErrNoLocks) {
			return readHolder(text), err
		}
		claims.of[path] = s
	case c.Alone && s.locals == 0 && s.lock != nil:
		if err := s.lock.Alone(); err != nil {
			if errors.Is(err, store.ErrLockLost) { // the engines that shared it end, and this one waits as any other
				delete(claims.of, path)
				s.terms.Add(1)
				err = store.ErrLocked
			}
			return holder{}, err
		}
	}
	if s.lock != nil {
		_ = s.lock.Write(c.self.text()) // it only serves the error of others
	}
	c.sharedClaim, c.term = s, s.terms.Load()
	if c.Alone {
		s.locals++
	} else {
		s.nodes++
	}
	return holder{}, nil
}

// Release returns an engine's part of the claim; the last engine of the process ends the claim.
func (c *Claim) Release() {
	if c == nil || c.sharedClaim == nil {
		return
	}
	c.once.Do(func() {
		claims.Lock()
		defer claims.Unlock()
		s := c.sharedClaim
		if c.Alone {
			s.locals--
		} else {
			s.nodes--
		}
		switch {
		case s.locals+s.nodes == 0:
			if claims.of[s.path] == s {
				delete(claims.of, s.path)
			}
			_ = s.local.Close()
			if s.lock != nil {
				_ = s.lock.Close()
			}
		case s.locals == 0 && s.lock != nil:
			_ = s.lock.Share()
		}
	})
}

// lastAlone reports whether no other engine of this process keeps the store for itself.
func (c *Claim) lastAlone() bool {
	claims.Lock()
	defer claims.Unlock()
	return c.locals == 1
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
