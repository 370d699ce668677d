package console

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// AP-03: a call that does not know an argument changes nothing and says so: a misspelt name is not an argument left
// out.
func TestEveryCallRefusesArgumentsThatItDoesNotKnow(t *testing.T) {
	c := &Console{} // nothing of it may be reached
	for name := range calls {
		for _, args := range []string{`{"usr":"ada"}`, `[]`, `{"user":"ada","user":"bob"}`, `{}{}`} {
			_, err := c.Call(t.Context(), CommandLine, name, json.RawMessage(args))
			if identity.CodeOf(err) != identity.CodeInvalidRequest {
				t.Errorf("%s %s: %v", name, args, err)
			}
		}
	}
	if _, err := c.Call(t.Context(), CommandLine, "users.lst", nil); identity.CodeOf(err) != identity.CodeNotFound {
		t.Error(err)
	}
}

func TestWindowIsADurationBack(t *testing.T) {
	now := time.Date(2026, 8, 9, 12, 0, 0, 0, time.UTC)
	for window, want := range map[string]time.Duration{"24h": 24 * time.Hour, "7d": 168 * time.Hour,
		"90m": 90 * time.Minute} {
		if since, err := startOf(window, now); err != nil || now.Sub(since) != want {
			t.Errorf("%s: %v %v", window, since, err)
		}
	}
	for _, window := range []string{"", "d", "-1h", "0s", "401d", "week", "7dd"} {
		if _, err := startOf(window, now); identity.CodeOf(err) != identity.CodeInvalidRequest {
			t.Errorf("%q: %v", window, err)
		}
	}
}
