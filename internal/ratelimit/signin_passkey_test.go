package ratelimit

import (
	"context"
	"testing"
)

// LK-05, LK-03: a passkey is not stopped by what is counted to its owner; a wrong one is counted to them afterwards,
// and to the address before.
func TestPasskeysAreCountedToTheAddressAndBlamedOnTheirOwner(t *testing.T) {
	g := guard(t, Limits{})
	ctx := context.Background()
	if n := tries(t, g, 20, Attempt{Person: "user:ada", Address: addr("192.0.2.1")}); n != 5 {
		t.Fatal(n)
	}
	try, err := g.Begin(ctx, Attempt{Address: addr("192.0.2.2")})
	if err != nil {
		t.Fatal(err)
	}
	if err := try.Succeed(ctx); err != nil {
		t.Fatal(err)
	}
	if n := tries(t, g, 1, Attempt{Person: "user:ada", Address: addr("192.0.2.2")}); n != 0 {
		t.Error("a passkey gave its owner's attackers new tries")
	}
	for range 5 {
		if err := g.Blame(ctx, "user:bob"); err != nil {
			t.Fatal(err)
		}
	}
	if n := tries(t, g, 1, Attempt{Person: "user:bob", Address: addr("192.0.2.3")}); n != 0 {
		t.Error("wrong passkeys are not counted to their owner")
	}
	if n := tries(t, g, 60, Attempt{Address: addr("192.0.2.4")}); n != 50 {
		t.Errorf("one address tried %d passkeys", n)
	}
}
