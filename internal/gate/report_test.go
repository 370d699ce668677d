package gate

import (
	"strings"
	"testing"
	"time"
)

// ED-10 a report that is not new allocates nothing: a page in report mode makes many.
func TestReportThatIsNotNewAllocatesNothing(t *testing.T) {
	var k reports
	now, r := time.Now(), reported{who: "u1", host: "app.test", method: "GET", path: "/" + strings.Repeat("x", 5000),
		rule: "r"}
	if !k.isNew(r, now) || k.isNew(r, now) || !k.isNew(r, now.Add(2*reportQuiet)) {
		t.Error("not once a minute")
	}
	if n := testing.AllocsPerRun(100, func() { k.isNew(r, now.Add(2*reportQuiet)) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	for kept := range k.seen {
		if len(kept.path) > keptPath {
			t.Errorf("%d bytes of a path are kept", len(kept.path))
		}
	}
}
