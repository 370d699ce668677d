package gate

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

// Record is a decision about a request of somebody who is signed in, kept so that a change of the policies can be tried on
// what people really do.
type Record struct {
	Principal *identity.Principal
	Site      string // Site.Name
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
	// recordPath is the longest path that is recorded.
	recordPath = 512
	// recordMethod is the longest method that is: those of HTTP and WebDAV have fewer letters.
	recordMethod = 32
	// recordAge is after how long the same is recorded again.
	recordAge = time.Hour
)

// Records takes decisions on the warm path, so each that is known costs one hash and one load and allocates nothing. Two
// that share a slot push each other out, which costs a write and no more. The zero value is not ready: use NewRecords.
type Records struct {
	seed  maphash.Seed
	slots [recordSlots]atomic.Uint64
	queue chan Record
}

// NewRecords makes an empty set.
func NewRecords() *Records {
	return &Records{seed: maphash.MakeSeed(), queue: make(chan Record, recordQueue)}
}

// Waiting gives what is to be written.
func (k *Records) Waiting() <-chan Record { return k.queue }

// take notes a decision unless it was noted within the hour.
func (k *Records) take(s *Site, r *policy.Request, p *identity.Principal, allowed bool, hour int64) bool {
	var sum uint64
	for _, text := range [...]string{p.UserID, p.ACR, s.name, r.Host, r.Method, r.Path} {
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

// record notes what was decided about a request of a signed-in user.
func (g *Gate) record(q *request) {
	if g.Records == nil || q.principal == nil || q.set == nil || len(q.asked.Path) > recordPath || len(q.asked.Method) > recordMethod {
		return
	}
	d := &q.Decision
	if d.Report != nil {
		d = d.Report
	}
	if !d.Allow && !byRule(d.Code) {
		return // not a matter of rules
	}
	if !g.Records.take(q.site, &q.asked, q.principal, d.Allow, int64(q.judged/recordAge)) {
		return
	}
	select {
	case g.Records.queue <- Record{Principal: q.principal, Site: q.site.name, Host: strings.Clone(q.asked.Host), Method: strings.Clone(q.asked.Method),
		Path: strings.Clone(q.asked.Path), Addr: q.address(), Allowed: d.Allow, At: g.Now()}:
	default:
	}
}
