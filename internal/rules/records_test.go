package rules

import (
	"strings"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// The same decision is recorded once an hour, another outcome at once, and what does not fit into the queue is dropped.
func TestDecisionsAreRecordedOnceAnHour(t *testing.T) {
	k := NewRecords()
	p, r := &identity.Principal{UserID: "u", Proof: identity.Proof{ACR: "1"}}, at("/x")
	steps := []struct {
		allowed bool
		hour    int64
		want    bool
	}{{true, 0, true}, {true, 0, false}, {false, 0, true}, {false, 0, false}, {false, 1, true}}
	for i, step := range steps {
		if got := k.isNew("site", &r, p, step.allowed, step.hour); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { k.isNew("site", &r, p, false, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for i := range recordQueue + 100 {
		q := at("/" + strings.Repeat("y", i%maxRecordedPath/2) + "/" + identity.NewReference())
		if k.IsNew("site", &q, p, true, 0) {
			k.Add(Record{Principal: p, Site: "site", Path: q.Path, Allowed: true})
		}
	}
	if n := len(k.queue); n != recordQueue {
		t.Errorf("%d wait", n)
	}
	if long := at("/" + strings.Repeat("y", maxRecordedPath)); k.IsNew("site", &long, p, true, 0) {
		t.Error("a path of any length is recorded")
	}
}
