package authn

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Sign creates a signed assertion about a principal for one host, and says when the next one is due.
type Sign func(p *identity.Principal, host string) (jwt string, renew time.Time, err error)

// maxAssertions bounds the hosts that one credential has assertions for: a session is used on one, a token on a few.
const maxAssertions = 16

// Assertions are the signed assertions of one entry, by host. The zero value is ready. Reading one takes no lock; of
// racing misses one signs and the others wait for it.
type Assertions struct {
	list atomic.Pointer[[]assertion]
	mu   sync.Mutex
}

type assertion struct {
	host    string
	version uint64
	jwt     string
	renew   time.Time
}

// For returns the assertion for a host, signing it when there is none of this version or a new one is due. version is
// that of what is signed beside the principal, read before the call.
func (a *Assertions) For(host string, version uint64, now time.Time, p *identity.Principal, sign Sign) (string, error) {
	if jwt := a.find(host, version, now); jwt != "" {
		return jwt, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if jwt := a.find(host, version, now); jwt != "" {
		return jwt, nil
	}
	jwt, renew, err := sign(p, host)
	if err != nil {
		return "", err
	}
	var kept []assertion
	if old := a.list.Load(); old != nil {
		kept = slices.DeleteFunc(slices.Clone(*old), func(o assertion) bool { return o.host == host || !now.Before(o.renew) })
	}
	if len(kept) >= maxAssertions {
		kept = kept[1:]
	}
	kept = append(kept, assertion{host: host, version: version, jwt: jwt, renew: renew})
	a.list.Store(&kept)
	return jwt, nil
}

// Purge forgets those that no request may get any more, so that a credential that rests keeps none. One that is just
// being signed is left for the next time.
func (a *Assertions) Purge(now time.Time) {
	if a.list.Load() == nil || !a.mu.TryLock() {
		return
	}
	defer a.mu.Unlock()
	due := func(o assertion) bool { return !now.Before(o.renew) }
	if old := *a.list.Load(); slices.ContainsFunc(old, due) {
		kept := slices.DeleteFunc(slices.Clone(old), due)
		a.list.Store(&kept)
	}
}

func (a *Assertions) find(host string, version uint64, now time.Time) string {
	if list := a.list.Load(); list != nil {
		for i := range *list {
			if o := &(*list)[i]; o.host == host && o.version == version && now.Before(o.renew) {
				return o.jwt
			}
		}
	}
	return ""
}
