package feed

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// JW-12, R4: a revocation that was acknowledged survives a restart of the node with a real database; one whose
// transaction was rolled back counts nowhere.
func TestAcknowledgedRevocationSurvivesARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "truxe.db")
	ctx := context.Background()
	now := time.Now()
	for round := range 2 {
		sql, err := store.Open(ctx, store.Config{Driver: "sqlite", DSN: file})
		if err != nil {
			t.Fatal(err)
		}
		n := start(t, sql, cluster.NewLocal(cluster.LocalOptions{}), nil)
		within(t, 5*time.Second, "ready", n.Ready)
		if round == 0 {
			for _, r := range []store.Revocation{revoke(identity.RevokeJTI, "j"), revoke(identity.RevokeSession, "s"),
				revoke(identity.RevokeUser, "u")} {
				if err := sql.Tx(ctx, func(tx *store.Tx) error { return tx.AddRevocation(ctx, r) }); err != nil {
					t.Fatal(err)
				}
				if err := n.Publish(ctx, News{Revoked: []store.Revocation{r}}); err != nil {
					t.Fatal(err)
				}
			}
			if sql.Tx(ctx, func(tx *store.Tx) error {
				_ = tx.AddRevocation(ctx, revoke(identity.RevokeJTI, "undone"))
				return context.Canceled
			}) == nil {
				t.Fatal("committed")
			}
		}
		if n.Refused(bearer("j", "", "x", 0)) == "" || n.Refused(bearer("", "s", "x", 0)) == "" ||
			n.Refused(bearer("", "", "u", now.UnixMilli()-1)) == "" {
			t.Errorf("round %d: a revoked credential passes", round)
		}
		if n.Refused(bearer("undone", "s2", "u", time.Now().Add(time.Second).UnixMilli())) != "" {
			t.Errorf("round %d: something else is refused", round)
		}
		n.stop()
		sql.Close()
	}
}
