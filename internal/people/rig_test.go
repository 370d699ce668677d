package people

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/change/changetest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
	"github.com/truxeio/caddy-truxe/internal/store/storetest/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

var (
	must   = changetest.Must
	wants  = changetest.Wants
	detail = changetest.Detail
	race   = changetest.Race
)

var byCLI = change.By{Via: "cli"}

// node is the directory of one gateway with real parts around it.
type node struct {
	*Directory
	*changetest.Rig
	st *store.Store
}

func newNode(t *testing.T, cfg store.Config) *node {
	t.Helper()
	rig := changetest.New(t, cfg, changetest.Options{})
	return &node{Rig: rig, st: rig.Changes.Store, Directory: &Directory{Changes: rig.Changes, Hasher: rig.Hasher}}
}

func sqliteNode(t *testing.T) *node {
	t.Helper()
	t.Parallel()
	return newNode(t, storetest.Fresh(t, "sqlite"))
}

// everywhere runs a test on each database.
func everywhere(t *testing.T, test func(t *testing.T, n *node)) {
	t.Helper()
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) { test(t, newNode(t, cfg)) })
}

// make creates a user with the usual password.
func (n *node) make(name string, roles ...string) identity.User {
	n.T.Helper()
	u, err := n.CreateUser(context.Background(), byCLI,
		NewUser{Username: name, Email: name + "@example.com", Roles: roles, PasswordHash: changetest.PasswordHash()})
	must(n.T, err)
	return u
}

// signedIn starts a session of a user.
func (n *node) signedIn(u identity.User) change.By {
	n.T.Helper()
	ctx := context.Background()
	by := change.By{IP: "192.0.2.1", Host: "app.example.com"}
	var cookie string
	must(n.T, n.st.Tx(ctx, func(tx *store.Tx) (err error) {
		cookie, _, _, err = n.Rig.Sessions.Start(ctx, tx, session.NewSession{User: u, Kind: session.Browser, Host: by.Host,
			Proof: identity.Proof{AuthTime: n.Clock.Now(), AMR: []string{identity.AMRPassword}, ACR: identity.ACRPassword}})
		return err
	}))
	live, err := n.Rig.Sessions.Find(ctx, cookie, by.Host)
	if must(n.T, err); live == nil {
		n.T.Fatal("not signed in")
	}
	by.Principal = &live.Principal
	return by
}

// defines has the node's policies define roles.
func (n *node) defines(roles ...policy.Role) {
	n.T.Helper()
	m, err := policy.CompileRoles(roles)
	must(n.T, err)
	n.Roles = func() *policy.RoleModel { return m }
}

// has reads a user's roles from the database.
func (n *node) has(id identity.ID) string {
	n.T.Helper()
	u, err := n.st.UserByID(context.Background(), id)
	must(n.T, err)
	return strings.Join(u.Roles, " ")
}

// lastOf returns the latest event of a kind.
func (n *node) lastOf(event string) string {
	n.T.Helper()
	rows, err := n.st.ListAudit(context.Background(), store.AuditFilter{Event: event, Limit: 1})
	must(n.T, err)
	if len(rows) == 0 {
		return ""
	}
	return string(rows[0].Line)
}
