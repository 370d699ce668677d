package rules

import (
	"hash/maphash"
	"math/bits"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Record is a decision about a request of a signed-in user, kept so that a change of the policies can be tried on what
// users really do.
type Record struct {
	Principal *identity.Principal
	Site      string // its name
	Host      string
	Method    string
	Path      string
	Addr      netip.Addr
	Allowed   bool
	At        time.Time
}

const (
	recordSlots = 1 << 15
	// recordQueue bounds what waits to be written; more is dropped, as it is seen again.
	recordQueue = 2048
	// maxRecordedPath is the longest path that is recorded.
	maxRecordedPath = 512
	// maxRecordedMethod is the longest method that is: those of HTTP and WebDAV have fewer letters.
	maxRecordedMethod = 32
	// recordAge is after how long the same is recorded again.
	recordAge = time.Hour
)

// Records takes decisions on the warm path, so each that is known costs one hash and one load and allocates nothing.
// Two that share a slot evict each other, which costs a write and no more.
type Records struct {
	seed  maphash.Seed
	slots [recordSlots]atomic.Uint64
	queue chan Record
}

// NewRecords returns an empty set.
func NewRecords() *Records {
	return &Records{seed: maphash.MakeSeed(), queue: make(chan Record, recordQueue)}
}

// IsNew reports whether a decision is to be recorded: it was not within the hour, and is not too large. It allocates
// nothing. at is when it was made, by a steady clock that is the same for all decisions.
func (k *Records) IsNew(site string, r *policy.Request, p *identity.Principal, allowed bool, at time.Duration) bool {
	if len(r.Path) > maxRecordedPath || len(r.Method) > maxRecordedMethod {
		return false
	}
	return k.isNew(site, r, p, allowed, int64(at/recordAge))
}

// Add queues a decision. It copies the texts of the request, and never blocks: what does not fit is dropped.
func (k *Records) Add(r Record) {
	r.Host, r.Method, r.Path = strings.Clone(r.Host), strings.Clone(r.Method), strings.Clone(r.Path)
	select {
	case k.queue <- r:
	default:
	}
}

func (k *Records) isNew(site string, r *policy.Request, p *identity.Principal, allowed bool, hour int64) bool {
	var sum uint64
	for _, text := range [...]string{p.UserID, p.ACR, site, r.Host, r.Method, r.Path} {
		sum = bits.RotateLeft64(sum, 23) ^ maphash.String(k.seed, text)
	}
	mark := sum ^ uint64(hour)<<1
	if allowed {
		mark ^= 1
	}
	slot := &k.slots[sum%recordSlots]
	if slot.Load() == mark {
		return false
	}
	slot.Store(mark)
	return true
}
