package session

import (
	"sync"
	"sync/atomic"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

const shardCount = 64

// record is a session in memory: 104 bytes without a pointer. Times are Unix milliseconds, steady ones are
// milliseconds of monotonic time.
type record struct {
	hash    [32]byte
	id      identity.ID
	owner   uint32
	label   uint32
	created int64
	auth    int64
	mfa     int64 // 0: never
	passkey int64 // 0: never
	expires int64
	until   int64 // steady: the absolute end
	used    int64 // steady: last use, as far as this record knows
	idle    int64
}

// shard is one part of the table. Records have no gaps: removal swaps in the last one.
type shard[E any] struct {
	mu      sync.RWMutex
	records []record
	lives   []*Live[E] // beside records; nil while the session is not in use
	warm    int        // lives that are not nil
	byHash  map[[16]byte]uint32
	byID    map[identity.ID]uint32
	hand    uint32 // where the search for something to let go of goes on
}

func (s *shard[E]) init() {
	s.records, s.lives, s.warm, s.hand = nil, nil, 0, 0
	s.byHash, s.byID = map[[16]byte]uint32{}, map[identity.ID]uint32{}
}

func (t *Table[E]) shardOf(hash *[32]byte) *shard[E] { return &t.shards[hash[31]%shardCount] }

// head is what a record is found by; find compares the rest.
func head(hash *[32]byte) [16]byte { return [16]byte(hash[:16]) }

func (s *shard[E]) find(hash *[32]byte) (l *Live[E], known bool) {
	at, ok := s.byHash[head(hash)]
	if !ok || s.records[at].hash != *hash {
		return nil, false
	}
	return s.lives[at], true
}

// makeReady builds the principal of a session that is only a record.
func (t *Table[E]) makeReady(s *shard[E], hash *[32]byte) *Live[E] {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, known := s.find(hash)
	if !known || l != nil {
		return l
	}
	at := s.byHash[head(hash)]
	r := &s.records[at]
	l = newLive[E](r, t.owners.at(r.owner), t.labels.at(r.label))
	t.setLive(s, at, l)
	return l
}

// setLive sets the principal of a record. Beyond the limit, CLOCK eviction drops one that has not been used since the
// hand passed it last.
func (t *Table[E]) setLive(s *shard[E], at uint32, l *Live[E]) {
	if s.lives[at] == nil {
		s.warm++
	}
	s.lives[at] = l
	for limit := max(1, t.cfg.MaxReady/shardCount); s.warm > limit; {
		s.hand = (s.hand + 1) % uint32(len(s.lives))
		victim := s.lives[s.hand]
		if victim == nil || s.hand == at || victim.recent.Swap(false) {
			continue
		}
		s.records[s.hand].used = victim.used.Load()
		s.lives[s.hand] = nil
		s.warm--
	}
}

// put adds or replaces a session. Beyond the limit the longest unused of the next few goes (OP-06).
func (t *Table[E]) put(s *shard[E], r record, l *Live[E]) {
	if at, ok := s.byHash[head(&r.hash)]; ok {
		t.remove(s, at)
	}
	if at, ok := s.byID[r.id]; ok { // an older secret of the same session
		t.remove(s, at)
	}
	if len(s.records) >= max(1, t.cfg.MaxKnown/shardCount) {
		t.remove(s, s.oldest())
	}
	at := uint32(len(s.records))
	s.records = append(s.records, r)
	s.lives = append(s.lives, nil)
	s.byHash[head(&r.hash)], s.byID[r.id] = at, at
	t.setLive(s, at, l)
}

func (s *shard[E]) oldest() uint32 {
	best, bestUsed := uint32(0), int64(0)
	for i := range uint32(min(8, len(s.records))) {
		s.hand = (s.hand + 1) % uint32(len(s.records))
		used := s.records[s.hand].used
		if l := s.lives[s.hand]; l != nil {
			used = l.used.Load()
		}
		if i == 0 || used < bestUsed {
			best, bestUsed = s.hand, used
		}
	}
	return best
}

// remove takes a record out; its principal lives on in requests under way.
func (t *Table[E]) remove(s *shard[E], at uint32) {
	r := &s.records[at]
	t.owners.release(r.owner)
	delete(s.byHash, head(&r.hash))
	delete(s.byID, r.id)
	if s.lives[at] != nil {
		s.warm--
	}
	last := uint32(len(s.records) - 1)
	if at != last {
		s.records[at], s.lives[at] = s.records[last], s.lives[last]
		s.byHash[head(&s.records[at].hash)], s.byID[s.records[at].id] = at, at
	}
	s.lives[last] = nil
	s.records, s.lives = s.records[:last], s.lives[:last]
}

// sweep takes out what is over or whose user was dropped.
func (t *Table[E]) sweep() {
	elapsed, now := t.elapsed(), t.cfg.Now().UnixMilli()
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for at := len(s.records) - 1; at >= 0; at-- {
			r := &s.records[at]
			used := r.used
			if l := s.lives[at]; l != nil {
				used = l.used.Load()
			}
			if elapsed >= r.until || now >= r.expires || elapsed-used >= r.idle || t.owners.at(r.owner).gone.Load() {
				t.remove(s, uint32(at))
			}
		}
		s.mu.Unlock()
	}
}

// Live is a session in use. Requests share it: everything but Attach is read-only.
type Live[E any] struct {
	Principal identity.Principal
	Host      string // folded host that the session is bound to
	Kind      string // Browser or API

	id       identity.ID
	owner    *owner
	expires  int64
	until    int64
	idle     int64
	used     atomic.Int64
	recent   atomic.Bool
	attached atomic.Pointer[E]
}

func (l *Live[E]) over(elapsed, now int64) bool {
	return elapsed >= l.until || now >= l.expires || elapsed-l.used.Load() >= l.idle
}

// Attach keeps what was made of the session, e.g. its rendered header values, for as long as the session stays as it
// is.
func (l *Live[E]) Attach(v *E) { l.attached.Store(v) }

// Attached returns what was attached, nil when nothing was.
func (l *Live[E]) Attached() *E { return l.attached.Load() }
