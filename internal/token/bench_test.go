package token

import (
	"context"
	"testing"
)

// A token that this node has not seen: strict reading and one RS256 verification.
func BenchmarkVerifyCold(b *testing.B) {
	r := newRig(b)
	raw := r.issue()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.verifier.Verify(context.Background(), raw); err != nil {
			b.Fatal(err)
		}
	}
}

// A token of ours that this node has verified: whose it is, the generation, the cache.
func BenchmarkVerifyCached(b *testing.B) {
	r := newRig(b)
	raw := r.issue()
	p := must(r.verifier.Verify(context.Background(), raw))(b)
	c, now := NewCache[any](0), r.clock.now().Unix()
	c.Put(raw, r.verifier.Generation(), p, p)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Get(raw, r.verifier.Generation(), now); !r.verifier.Ours(raw) || !ok {
			b.Fatal("miss")
		}
	}
}

// An app's own JWT in Authorization, which is looked at on every request.
func BenchmarkOursOfAForeignToken(b *testing.B) {
	r := newRig(b)
	_, claims := r.good()
	raw := sign(attackerKey(), m{"alg": "RS256", "typ": "JWT"}, with(claims, m{"iss": "https://other.example"}))
	b.ReportAllocs()
	for b.Loop() {
		if r.verifier.Ours(raw) {
			b.Fatal("ours")
		}
	}
}

func BenchmarkIssue(b *testing.B) {
	r := newRig(b)
	for b.Loop() {
		r.issue()
	}
}
