package people

import (
	"context"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// MF-13: a new address and an export need a fresh proof, a new name does not.
func TestProfileAsksForAFreshProof(t *testing.T) {
	n := sqliteNode(t)
	ctx, by := context.Background(), n.signedIn(n.make("ada"))
	must(t, n.UpdateProfile(ctx, by, "Ada", "new@example.com"))
	n.Clock.Move(change.FreshFor + time.Minute)
	must(t, n.UpdateProfile(ctx, by, "Ada L.", "new@example.com"))
	wants(t, n.UpdateProfile(ctx, by, "Ada", "other@example.com"), identity.CodeStepUpRequired)
	_, err := n.Export(ctx, by)
	wants(t, err, identity.CodeStepUpRequired)
}
