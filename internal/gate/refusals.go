package gate

import (
	"strings"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

const (
	// keptRefusals bounds what is remembered of refusals that are not in the audit log: anonymous requests, step-ups, and
	// requests that were never judged. A stranger can fill it at will, so it is memory only.
	keptRefusals = 2048
	// keptPath is the longest path that is remembered whole; keptText what the other readings of it, host and method may
	// have together, in bytes. Beyond either the rules cannot be asked again, so there is no trace.
	keptPath = 1024
	keptText = 2048
)

// Refusal is what was answered to one request, under the reference that the answer carried.
type Refusal struct {
	Judgement
	Reference    string
	At           time.Time
	Method, Host string
	Path         string // as rules saw it
	Address      string
}

// Principal is who sent the request; nil: an anonymous visitor.
func (r *Refusal) Principal() *identity.Principal { return r.principal }

// Refusals remembers the last refusals of this node. It outlives configurations; the zero value is ready.
type Refusals struct {
	mu   sync.Mutex
	ring []Refusal
	next int
}

func (k *Refusals) keep(r Refusal) {
	text := len(r.Host) + len(r.Method)
	for _, reading := range r.asked.Readings {
		text += len(reading)
	}
	if len(r.Path) > keptPath || text > keptText {
		r.set, r.asked = nil, policy.Request{}
	}
	r.detach()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.ring) < keptRefusals {
		k.ring = append(k.ring, r)
		return
	}
	k.ring[k.next] = r
	k.next = (k.next + 1) % keptRefusals
}

// detach copies every text that is part of a longer one: method and path are parts of the request line, and each would
// keep all of its 16 KiB in memory.
func (r *Refusal) detach() {
	r.Method, r.Host, r.Path, r.Address = start(r.Method), start(r.Host), start(r.Path), strings.Clone(r.Address)
	q := &r.asked
	q.Method, q.Host, q.Path = strings.Clone(q.Method), strings.Clone(q.Host), strings.Clone(q.Path)
	var readings []string
	for _, reading := range q.Readings {
		readings = append(readings, strings.Clone(reading))
	}
	q.Readings = readings
}

// start is what is kept of a long text.
func start(s string) string { return strings.Clone(s[:min(len(s), keptPath)]) }

// Find looks a reference up.
func (k *Refusals) Find(reference string) (Refusal, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.ring {
		if k.ring[i].Reference == reference {
			return k.ring[i], true
		}
	}
	return Refusal{}, false
}
