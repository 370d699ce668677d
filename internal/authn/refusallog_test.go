package authn

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// ED-24 OP-06: each reason is logged at once and then counted, whatever the number of refusals; what is remembered is
// bounded.
func TestRefusedTokensAreLoggedOncePerReasonAndMinute(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1_800_000_000, 0)
	r := &RefusalLog{log: slog.New(slog.NewTextHandler(&out, nil)), now: func() time.Time { return now }}
	lines := func() int { return strings.Count(out.String(), "a bearer token was refused") }
	for range 1000 {
		r.Note(errors.New("access token: one"))
		r.Note(errors.New("access token: two"))
	}
	if lines() != 2 {
		t.Errorf("%d lines for two reasons", lines())
	}
	now = now.Add(refusalPause)
	r.Note(errors.New("access token: one"))
	if lines() != 3 || !strings.Contains(out.String(), "before=999") {
		t.Errorf("after a minute: %d lines: %s", lines(), out.String())
	}
	for i := range 10 * maxRefusals {
		r.Note(fmt.Errorf("reason %d", i))
	}
	if len(r.seen) > maxRefusals {
		t.Errorf("%d reasons are remembered", len(r.seen))
	}
}
