package wire

import (
	"testing"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// What another user did to an account is in its owner's data, without their address; an attempt that names no user is
// there with its address.
func TestOwnDataDoesNotTellWhereOthersWere(t *testing.T) {
	for name, c := range map[string]struct {
		actor, line string
		other       bool
	}{
		"oneself":       {"me", `{"actor":{"id":"me","name":"ada"},"user_agent":"A","host":"h"}`, false},
		"administrator": {"root", `{"actor":{"id":"root","name":"root"},"user_agent":"A","host":"h"}`, true},
		"command line":  {"", `{"actor":{"id":"","name":"cli"},"user_agent":"A","host":"h"}`, true},
		"failed try":    {"", `{"actor":{"id":"","name":""},"user_agent":"A","host":"h"}`, false},
	} {
		got := EventOf(store.AuditRow{Event: "e", ActorID: c.actor, SubjectID: "me", IP: "192.0.2.1",
			Line: []byte(c.line)}, "me")
		want := Event{Event: "e", ByOther: c.other}
		if !c.other {
			want.IP, want.UserAgent, want.Host = "192.0.2.1", "A", "h"
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
