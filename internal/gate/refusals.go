package gate

import (
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

const (
	// keptRefusals bounds what is remembered of refusals that no audit line tells of: anonymous visitors, step-ups, and
	// requests that were never judged. A stranger can fill it at will, so it is memory only.
	keptRefusals = 2048
	// keptPath is the longest path that is remembered whole.
	keptPath = 1024
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
	if len(r.Path) > keptPath {
		r.Path, r.set, r.request = r.Path[:keptPath], nil, policy.Request{}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.ring) < keptRefusals {
		k.ring = append(k.ring, r)
		return
	}
	k.ring[k.next] = r
	k.next = (k.next + 1) % keptRefusals
}

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
