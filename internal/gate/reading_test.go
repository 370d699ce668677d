package gate

import (
	"net/http/httptest"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/revocation"
)

// ED-10 R2 all directives on the way share one reading of a path, and a rewrite between two of them makes a new one.
func TestPathIsReadOnceForAllDirectives(t *testing.T) {
	r := httptest.NewRequest("GET", "/a%2fb;x", nil)
	before := &trail{Stream: revocation.Stream{Context: r.Context()}}
	before.answers(httptest.NewRecorder(), nil)
	r = r.WithContext(before)
	first, err := PathOf(r)
	if err != nil || len(first.Readings) == 0 {
		t.Fatal(first, err)
	}
	if n := testing.AllocsPerRun(50, func() { _, _ = PathOf(r) }); n > 0 {
		t.Errorf("it is read again: %v allocations", n)
	}
	for _, target := range []string{"/c%2fd", "/plain", "/%00", "/a%2fb;x"} {
		rewritten := httptest.NewRequest("GET", target, nil)
		r.URL, r.RequestURI = rewritten.URL, target
		got, err := PathOf(r)
		want, wantErr := policy.Canonical(rewritten)
		if got.Canonical != want.Canonical || len(got.Readings) != len(want.Readings) || (err != nil) != (wantErr != nil) {
			t.Errorf("%s: %v %v, want %v %v", target, got, err, want, wantErr)
		}
	}
}
