package gateway

import (
	"context"
	"testing"
	"time"
)

// ED-07 R1 an engine whose store another process has taken over does not learn of that one's revocations, and refuses
// from then on.
func TestEngineRefusesAfterATakeover(t *testing.T) {
	e := start(t).engine
	ctx := context.Background()
	e.renewClaim(ctx)
	if !e.revoked.Ready() {
		t.Fatal("control: the process refuses its own mark")
	}
	if err := e.store.SetMeta(ctx, "held_until", "1 "); err != nil {
		t.Fatal(err)
	}
	e.renewClaim(ctx)
	for end := time.Now().Add(5 * time.Second); e.revoked.Ready(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the engine goes on")
		}
	}
}
