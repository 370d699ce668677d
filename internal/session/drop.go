package session

import (
	"sync"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// dropsKept is how many drops are known one by one. A read that overlaps more of them is repeated.
const dropsKept = 1024

// dropLog remembers the last drops, so that what was read from SQL before a drop is not put into the table after it.
type dropLog struct {
	mu   sync.Mutex
	next uint64
	all  uint64 // the last drop of everything
	ring [dropsKept]identity.ID
}

func (d *dropLog) now() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.next
}

func (d *dropLog) add(id identity.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ring[d.next%dropsKept] = id
	d.next++
}

func (d *dropLog) addAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ring[d.next%dropsKept] = identity.ID{}
	d.next++
	d.all = d.next
}

// touched reports whether the session or user was dropped since then.
func (d *dropLog) touched(since uint64, session, user identity.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all > since || d.next-since > dropsKept {
		return true
	}
	for i := since; i < d.next; i++ {
		if id := d.ring[i%dropsKept]; id == session || id == user {
			return true
		}
	}
	return false
}

// misses are recently unknown cookies: a browser that keeps sending one costs a read a second, and a
// flood of them cannot fill the memory (OP-06). A secret is random, so none is remembered before it is made.
type misses struct {
	mu       sync.Mutex
	new, old map[[16]byte]struct{}
	turned   int64 // elapsed ms
}

const (
	missTime = 1000 // ms; a miss is remembered for one to two of these
	maxMiss  = 8192
)

func (m *misses) has(hash *[32]byte, elapsed int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(elapsed)
	_, young := m.new[head(hash)]
	_, aged := m.old[head(hash)]
	return young || aged
}

func (m *misses) add(hash *[32]byte, elapsed int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(elapsed)
	if len(m.new) >= maxMiss {
		m.new, m.old = nil, m.new
	}
	if m.new == nil {
		m.new = map[[16]byte]struct{}{}
	}
	m.new[head(hash)] = struct{}{}
}

func (m *misses) turn(elapsed int64) {
	switch d := elapsed - m.turned; {
	case d >= 2*missTime:
		m.new, m.old, m.turned = nil, nil, elapsed
	case d >= missTime:
		m.new, m.old, m.turned = nil, m.new, elapsed
	}
}

func (m *misses) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.new, m.old = nil, nil
}
