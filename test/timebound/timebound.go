// Package timebound keeps tests from judging a product by the clock of a busy machine. A test waits for an event, with
// a patient limit, and reports how long it took. Only when TRUXE_STRICT_TIMES is set, on a machine that does nothing
// else (`make timings`), does a bound that is exceeded fail the test.
package timebound

import (
	"os"
	"testing"
	"time"
)

// On a busy machine a test gives up after patience times the bound, yet not later than longest where the bound is
// shorter.
const (
	patience = 15
	longest  = time.Minute
)

// Strict reports whether bounds are judged: TRUXE_STRICT_TIMES is set.
func Strict() bool { return os.Getenv("TRUXE_STRICT_TIMES") != "" }

// Limit returns how long to wait for an event that should take at most bound.
func Limit(bound time.Duration) time.Duration {
	if Strict() {
		return bound
	}
	return max(bound, min(patience*bound, longest))
}

// Check compares what something took with its bound. Beyond the limit, or beyond the bound when bounds are judged, the
// test fails; in between it is logged.
func Check(t testing.TB, what string, took, bound time.Duration) {
	t.Helper()
	switch {
	case took > Limit(bound):
		t.Errorf("%s took %v; the bound is %v", what, took.Round(time.Millisecond), bound)
	case took > bound:
		t.Logf("busy machine: %s took %v; the bound is %v", what, took.Round(time.Millisecond), bound)
	}
}
