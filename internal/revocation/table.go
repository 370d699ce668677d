package revocation

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// slot is one revocation: 32 bytes without a pointer, so that a million of them cost the garbage collector nothing.
type slot struct {
	high, low atomic.Uint64 // the key; high is 0 in an empty slot and is written last
	at        atomic.Int64  // Unix ms: what a user revocation is compared with
	expires   atomic.Int64  // Unix ms: not needed after it
}

// table is an open-addressing hash table. Readers take no lock: a key never leaves its slot, and what does not fit or
// has expired is left behind when the table is copied into a new one.
type table struct {
	seed  uint64 // of this process, so that no client can line up keys
	slots []slot
}

func newTable(n int) *table { return &table{seed: rand.Uint64(), slots: make([]slot, n)} }

// halves splits a key. 0 means "empty" in a slot, so it is read as 1: a 2^-64 chance to refuse too much.
func halves(k identity.Key) (high, low uint64) {
	high, low = binary.LittleEndian.Uint64(k[:8]), binary.LittleEndian.Uint64(k[8:])
	return max(high, 1), low
}

// find returns the slot of the key, or the empty slot where it belongs and false.
func (t *table) find(high, low uint64) (*slot, bool) {
	// keys are SHA-256, so any bits of them are spread evenly; the upper half of the product maps them to any size
	i, _ := bits.Mul64((high^t.seed)*0x9e3779b97f4a7c15, uint64(len(t.slots)))
	for {
		s := &t.slots[i]
		switch s.high.Load() {
		case 0:
			return s, false
		case high:
			if s.low.Load() == low {
				return s, true
			}
		}
		if i++; i == uint64(len(t.slots)) {
			i = 0
		}
	}
}

// minSlots is the size of an empty table.
const minSlots = 1024

// set is a table that grows and is swept. One writer at a time, any number of readers.
type set struct {
	table atomic.Pointer[table]
	write sync.Mutex
	used  int // slots taken, expired ones included
}

func newSet() *set {
	s := &set{}
	s.table.Store(newTable(minSlots))
	return s
}

// put remembers a key, or extends what is remembered of it, and reports whether that is news.
func (s *set) put(k identity.Key, at, expires int64) bool {
	high, low := halves(k)
	s.write.Lock()
	defer s.write.Unlock()
	t := s.table.Load()
	e, known := t.find(high, low)
	if known {
		news := at > e.at.Load()
		e.at.Store(max(e.at.Load(), at))
		e.expires.Store(max(e.expires.Load(), expires))
		return news
	}
	if (s.used+1)*4 > len(t.slots)*3 { // probes stay short up to three quarters; a half more room keeps 43 to 64 B a key
		t = t.copy(len(t.slots)*3/2, 0)
		s.table.Store(t)
		e, _ = t.find(high, low)
	}
	e.fill(high, low, at, expires)
	s.used++
	return true
}

func (e *slot) fill(high, low uint64, at, expires int64) {
	e.low.Store(low)
	e.at.Store(at)
	e.expires.Store(expires)
	e.high.Store(high) // last: from here on readers see the whole slot
}

// copy returns a table of n slots with what expires after the given time.
func (t *table) copy(n int, after int64) *table {
	out := newTable(n)
	for i := range t.slots {
		e := &t.slots[i]
		high, expires := e.high.Load(), e.expires.Load()
		if high == 0 || expires <= after {
			continue
		}
		to, _ := out.find(high, e.low.Load())
		to.fill(high, e.low.Load(), e.at.Load(), expires)
	}
	return out
}

// sweep forgets what has expired, when that is worth a copy.
func (s *set) sweep(now int64) {
	s.write.Lock()
	defer s.write.Unlock()
	t, live := s.table.Load(), 0
	for i := range t.slots {
		if t.slots[i].high.Load() != 0 && t.slots[i].expires.Load() > now {
			live++
		}
	}
	if dead := s.used - live; dead == 0 || dead*8 < s.used {
		return
	}
	s.table.Store(t.copy(max(minSlots, live*5/3), now))
	s.used = live
}

func (s *set) len() int {
	s.write.Lock()
	defer s.write.Unlock()
	return s.used
}
