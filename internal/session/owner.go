package session

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// owner is what the sessions of one user have in common.
type owner struct {
	id    identity.ID
	text  string
	key   identity.Key
	name  string // user name
	email string
	full  string
	roles []string
	refs  int         // records that point here; guarded by owners
	gone  atomic.Bool // dropped: records that point here are read from SQL again
}

func (p *owner) is(u *store.UserRecord) bool {
	return p.name == u.Username && p.email == u.Email && p.full == u.Name && slices.Equal(p.roles, u.Roles)
}

// owners shares users between sessions.
type owners struct {
	mu   sync.RWMutex
	byID map[identity.ID]uint32
	list []*owner
	free []uint32
}

// acquire returns the owner entry of a user for one more record.
func (p *owners) acquire(u *store.UserRecord) (*owner, uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.byID[u.ID]; ok {
		if known := p.list[at]; known.is(u) {
			known.refs++
			return known, at
		}
		p.list[at].gone.Store(true) // SQL has news; its event is still on the way
	}
	text := u.ID.String()
	fresh := &owner{id: u.ID, text: text, key: identity.RevocationKey(identity.RevokeUser, text),
		name: strings.Clone(u.Username), email: strings.Clone(u.Email), full: strings.Clone(u.Name),
		roles: slices.Clone(u.Roles), refs: 1}
	var at uint32
	if n := len(p.free); n > 0 {
		at, p.free = p.free[n-1], p.free[:n-1]
		p.list[at] = fresh
	} else {
		at = uint32(len(p.list))
		p.list = append(p.list, fresh)
	}
	if p.byID == nil {
		p.byID = map[identity.ID]uint32{}
	}
	p.byID[u.ID] = at
	return fresh, at
}

func (p *owners) at(i uint32) *owner {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.list[i]
}

func (p *owners) release(i uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := p.list[i]
	if who.refs--; who.refs > 0 {
		return
	}
	if at, ok := p.byID[who.id]; ok && at == i {
		delete(p.byID, who.id)
	}
	p.list[i] = nil
	p.free = append(p.free, i)
}

func (p *owners) drop(id identity.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.byID[id]; ok {
		p.list[at].gone.Store(true)
		delete(p.byID, id)
	}
}

// label is what many sessions of many users have in common.
type label struct {
	host, kind, acr string
	amr             []string
	remember        bool // kept with "Keep me signed in"
}

// maxLabels bounds the different labels: hosts times ways to sign in.
const maxLabels = 1 << 16

// labels shares labels. They are never freed, but there is no room for more than maxLabels.
type labels struct {
	mu   sync.RWMutex
	byIt map[string]uint32
	list []label
}

// acquire returns the number of a label; false when there is no room.
func (b *labels) acquire(s *store.Session) (label, uint32, bool) {
	amr, remember := strings.Join(s.AMR, "\x00"), strconv.FormatBool(s.Remember)
	key := strings.Join([]string{s.Host, s.Kind, s.ACR, amr, remember}, "\x01")
	b.mu.Lock()
	defer b.mu.Unlock()
	if at, ok := b.byIt[key]; ok {
		return b.list[at], at, true
	}
	made := label{host: strings.Clone(s.Host), kind: strings.Clone(s.Kind), acr: strings.Clone(s.ACR),
		amr: slices.Clone(s.AMR), remember: s.Remember}
	if len(b.list) >= maxLabels {
		return made, 0, false
	}
	if b.byIt == nil {
		b.byIt = map[string]uint32{}
	}
	at := uint32(len(b.list))
	b.list = append(b.list, made)
	b.byIt[key] = at
	return made, at, true
}

func (b *labels) at(i uint32) label {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.list[i]
}

// newLive creates the principal of a session.
func newLive[E any](r *record, who *owner, what label) *Live[E] {
	text := r.id.String()
	l := &Live[E]{Host: what.host, Kind: what.kind, id: r.id, owner: who,
		expires: r.expires, until: r.until, idle: r.idle}
	l.Principal = identity.Principal{
		UserID: who.text, Username: who.name, Email: who.email, Name: who.full, Roles: who.roles,
		SessionID: text, Remember: what.remember,
		Proof: identity.Proof{AMR: what.amr, ACR: what.acr, AuthTime: time.UnixMilli(r.auth), MFATime: fromMilli(r.mfa),
			PasskeyTime: fromMilli(r.passkey)},
		Expires: time.UnixMilli(r.expires), Credential: identity.CredentialCookie,
		Revocable: identity.Revocable{SessionKey: identity.RevocationKey(identity.RevokeSession, text), UserKey: who.key,
			IssuedAt: r.created},
	}
	l.used.Store(r.used)
	l.recent.Store(true)
	return l
}
