package revocation

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const (
	// streamsAgain is after how long changed users are read once more: a stream may have been judged before the change and
	// joined after it. It is also the pause after a failed read.
	streamsAgain = 300 * time.Millisecond
	// rolesChunk is how many users are read at once. New changes are served between two chunks.
	rolesChunk = 500
	// rolesTime bounds the reading of one chunk. It doubles with each failure in a row, up to rolesLongest, so that a slow
	// database answers in the end.
	rolesTime    = 400 * time.Millisecond
	rolesLongest = 2 * time.Second
	// rolesGiveUp is how long the streams of users who have changed go on while the database does not answer. After that
	// their roles are unknown (R1). It is the default bound of a lost Redis, too.
	rolesGiveUp = 10 * time.Second
	// rolesQuiet is the pause between two log lines about roles that cannot be read.
	rolesQuiet = time.Minute
)

type idSet map[identity.ID]struct{}

// roleReads are the users with open streams whose roles are to be read again. There are at most as many as have
// streams.
type roleReads struct {
	streams *Streams
	read    func(context.Context, []identity.ID) (map[identity.ID][]string, error)
	log     *slog.Logger

	recent  idSet // the newest changes
	rest    idSet // large and older ones
	within  time.Duration
	waiting bool      // the last read failed: the next one is after streamsAgain
	failing time.Time // when the failures in a row began; zero: the last read succeeded
	logged  time.Time // when a failure was logged last
}

func newRoleReads(streams *Streams, read func(context.Context, []identity.ID) (map[identity.ID][]string, error),
	log *slog.Logger) *roleReads {
	return &roleReads{streams: streams, read: read, log: log, recent: idSet{}, rest: idSet{}, within: rolesTime}
}

// RoleWatch ends the streams of users who lost a role. A request that lasts was judged once, by the roles that its user
// had then (AZ-08). The streams of a user who is only granted roles go on.
type RoleWatch struct {
	changed *changedUsers
	reads   *roleReads
}

// NewRoleWatch returns a watch over these streams. read returns the roles that users have now, none for a user without
// a row.
func NewRoleWatch(streams *Streams, read func(context.Context, []identity.ID) (map[identity.ID][]string, error),
	log *slog.Logger) *RoleWatch {
	return &RoleWatch{changed: newChangedUsers(), reads: newRoleReads(streams, read, log)}
}

// UserChanged notes that the roles of a user may have changed. It does not block.
func (w *RoleWatch) UserChanged(id identity.ID) { w.changed.add(id) }

// AllChanged notes that changes may have been missed. It does not block.
func (w *RoleWatch) AllChanged() { w.changed.addAll() }

// Run ends the streams of users who lost a role, at once and once more after streamsAgain, until ctx ends. It must not
// run twice.
func (w *RoleWatch) Run(ctx context.Context) {
	var due, next userSet // due is read when the ticker fires, next one tick later
	again := time.NewTicker(streamsAgain)
	defer again.Stop()
	ready := make(chan struct{})
	close(ready)
	for ctx.Err() == nil {
		now := w.changed.take() // before each chunk, so that a new change waits for one chunk at most (R4)
		w.reads.add(&now)
		next.merge(now)
		var more <-chan struct{} // nil: nothing to read
		if w.reads.due() {
			more = ready
		}
		select {
		case <-ctx.Done():
		case <-w.changed.wake:
		case <-again.C:
			w.reads.waiting = false
			w.reads.add(&due)
			due, next = next, userSet{}
		case <-more:
			w.reads.step(ctx)
		}
	}
}

// add notes the changed users who have open streams. Those of a trusted issuer are left out: no row of ours changes
// what its token says.
func (r *roleReads) add(changed *userSet) {
	if changed.empty() {
		return
	}
	users := idSet{}
	r.streams.cutPrincipals(func(p *identity.Principal) error {
		if changed.has(p.UserID) {
			if id, ours := identity.ParseID(p.UserID); ours {
				users[id] = struct{}{}
			}
		}
		return nil
	})
	if len(users) == 0 {
		return
	}
	if r.waiting && len(users) <= rolesChunk {
		r.waiting = false // a new change is worth a try
	}
	if len(users)+len(r.recent) > rolesChunk {
		r.rest.add(r.recent)
		r.recent = idSet{}
	}
	if len(users) > rolesChunk {
		r.rest.add(users)
		return
	}
	r.recent.add(users)
}

func (r *roleReads) due() bool { return !r.waiting && len(r.recent)+len(r.rest) > 0 }

// step reads one chunk and ends the streams of users who have lost a role. The newest changes come first, and older
// ones fill the chunk, so that they come to an end too. A user whose roles could not be read keeps the streams and is
// read again, for rolesGiveUp.
func (r *roleReads) step(ctx context.Context) {
	ids := r.rest.some(r.recent.some(nil, rolesChunk), rolesChunk)
	within, cancel := context.WithTimeout(ctx, r.within)
	roles, err := r.read(within, ids)
	cancel()
	if err != nil {
		r.failed(ctx, err)
		return
	}
	r.within, r.failing = rolesTime, time.Time{}
	now := make(map[string][]string, len(ids))
	for _, id := range ids {
		delete(r.recent, id)
		delete(r.rest, id)
		now[id.String()] = roles[id] // none without a row
	}
	r.streams.cutPrincipals(func(p *identity.Principal) error {
		has, read := now[p.UserID]
		if read && slices.ContainsFunc(p.Roles, func(role string) bool { return !slices.Contains(has, role) }) {
			return ErrChanged
		}
		return nil
	})
}

func (r *roleReads) failed(ctx context.Context, err error) {
	r.waiting, r.within = true, min(2*r.within, rolesLongest)
	now := time.Now()
	if r.failing.IsZero() {
		r.failing = now
	}
	if ctx.Err() == nil && now.Sub(r.logged) >= rolesQuiet {
		r.logged = now
		r.log.Warn("could not read the roles of users who have changed; their open streams end if the database does not answer",
			"users", len(r.recent)+len(r.rest), "within", rolesGiveUp, "error", err)
	}
	if now.Sub(r.failing) >= rolesGiveUp {
		r.giveUp()
	}
}

// giveUp ends the streams of all users who could not be read and have roles to lose.
func (r *roleReads) giveUp() {
	r.streams.cutPrincipals(func(p *identity.Principal) error {
		id, ours := identity.ParseID(p.UserID)
		_, recent := r.recent[id]
		_, rest := r.rest[id]
		if ours && (recent || rest) && len(p.Roles) > 0 {
			return ErrChanged
		}
		return nil
	})
	r.recent, r.rest, r.failing = idSet{}, idSet{}, time.Time{}
}

func (s idSet) add(other idSet) {
	for id := range other {
		s[id] = struct{}{}
	}
}

// some appends ids to a list until it has limit of them.
func (s idSet) some(list []identity.ID, limit int) []identity.ID {
	for id := range s {
		if len(list) >= limit {
			break
		}
		list = append(list, id)
	}
	return list
}
