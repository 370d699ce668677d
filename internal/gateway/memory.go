package gateway

import (
	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// memory is what this node remembers. The database or a client brings all of it again.
type memory struct {
	tokens   *token.Cache[*authn.Entry] // verified ones
	sessions *session.Table[authn.Entry]
	renewals *session.Renewals
	roles    *authn.CurrentRoles // of users with access tokens
	records  *rules.Records
	refusals gate.Refusals
	limits   ratelimit.Sites
}

func (m *memory) open(cfg Config, st *store.Store) {
	m.tokens = token.NewCache[*authn.Entry](0)
	m.roles = authn.NewCurrentRoles(st.UserByID)
	m.records = rules.NewRecords()
	m.renewals = session.NewRenewals(st, cfg.Now)
	m.sessions = session.New[authn.Entry](session.Config{
		Source:     m.renewals,
		Idle:       cfg.Session.Idle,
		Max:        cfg.Session.Max,
		Remember:   cfg.Session.Remember,
		API:        cfg.JWT.Refresh,
		Limit:      cfg.Session.Limit,
		TouchUsers: st.TouchUsers,
		Logger:     cfg.Logger,
		Now:        cfg.Now,
	})
}
