package token

import (
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/revocation"
)

// JW-14: a sign-out everywhere refuses the tokens made before it in the same second, and lets in those made after it.
func TestSignOutIsToldFromASignInOfTheSameSecond(t *testing.T) {
	r := newRig(t)
	r.clock.add(300 * time.Millisecond)
	before := r.issue()
	r.clock.add(time.Millisecond)
	signedOut := r.clock.now()
	known := revocation.NewCopy()
	known.Put(identity.RevokeUser, r.user.ID.String(), signedOut.UnixMilli(), signedOut.Add(time.Hour).UnixMilli())
	same := r.issue()
	r.clock.add(time.Millisecond)
	after := r.issue()
	if signedOut.Unix() != r.clock.now().Unix() {
		t.Fatal("the story must happen in one second")
	}
	for name, tc := range map[string]struct {
		raw  string
		want identity.Code
	}{"before": {before, identity.CodeSessionRevoked}, "in the same millisecond": {same, ""}, "after": {after, ""}} {
		p := must(r.verifier.Verify(t.Context(), tc.raw))(t)
		if got := known.Refused(p); got != tc.want {
			t.Errorf("a token made %s: %q, want %q", name, got, tc.want)
		}
	}
}

// JW-14: a time of issue that does not belong to iat's own second cannot lift a token over a not-before.
func TestMillisecondsOutsideTheirSecondAreNotBelieved(t *testing.T) {
	const iat = 1_800_000_000
	for name, tc := range map[string]struct {
		claim any
		want  int64
	}{
		"start": {float64(iat * 1000), iat * 1000}, "end": {float64(iat*1000 + 999), iat*1000 + 999},
		"next second": {float64(iat*1000 + 1000), iat * 1000}, "earlier": {float64(iat*1000 - 1), iat * 1000},
		"far ahead": {1e300, iat * 1000}, "negative": {-1.0, iat * 1000}, "a fraction": {float64(iat*1000) + 0.5, iat * 1000},
		"text": {"1800000000500", iat * 1000}, "null": {nil, iat * 1000},
		"a list": {[]any{float64(iat*1000 + 5)}, iat * 1000},
	} {
		if got := issuedAt(map[string]any{"iat": float64(iat), issuedMilli: tc.claim}); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
	if got := issuedAt(map[string]any{"iat": float64(iat)}); got != iat*1000 {
		t.Errorf("absent: %d", got)
	}
}
