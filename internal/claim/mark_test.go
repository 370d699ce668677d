package claim

import (
	"context"
	"errors"
	"testing"
	"time"
)

// ED-07 R1 a lock that was taken does not have to reach the other machine or container: a process that finds the mark
// taken over refuses from then on, leaves the mark to the other, and so do all its engines. That holds as well when the
// other has gone meanwhile.
func TestTakeoverIsNoticedThoughALockIsHeld(t *testing.T) {
	ctx := context.Background()
	there := holder{ID: "another", Host: "web-2", PID: 1, Since: time.Now()}
	for name, mark := range map[string]string{
		"lives":      markOf(there, time.Now().Add(holderLife)),
		"is gone":    markOf(there, time.Now().Add(-time.Hour)),
		"gave back":  "0",
		"older text": "1 ",
	} {
		t.Run(name, func(t *testing.T) {
			o := openStore(t, "")
			first, err := open(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			second, err := open(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			if first.lock == nil {
				t.Fatal("there is no lock")
			}
			if !first.renew() || !second.renew() || !readMarkAt(t, first).After(time.Now()) {
				t.Fatal("control: the process refuses its own mark")
			}
			if err := first.store.SetMeta(ctx, holderKey, mark); err != nil {
				t.Fatal(err)
			}
			if first.renew() || second.renew() {
				t.Fatal("the process goes on")
			}
			if err := second.close(); err != nil {
				t.Error(err)
			}
			if first.renew() {
				t.Error("the store is this process's again")
			}
			first.Unmark(first.store)
			if text, _, _, err := readMark(ctx, first.store); err != nil || text != mark {
				t.Errorf("the mark of the other is now %q, %v", text, err)
			}
			if err := first.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// ED-07 a renewal that is late does not mark a store that was given back.
func TestLateRenewalLeavesTheMarkGivenBack(t *testing.T) {
	ctx := context.Background()
	e, err := open(ctx, openStore(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	e.Unmark(e.store)
	e.renew()
	if text, _, _, err := readMark(ctx, e.store); err != nil || text != "0" {
		t.Errorf("the mark is %q, %v", text, err)
	}
}

// ED-07 an engine with Redis waits for a process that holds the store for itself and does not hear of it; it leaves no
// mark, and takes away one that is not renewed.
func TestEngineWithRedisWaitsForALoneProcess(t *testing.T) {
	ctx := context.Background()
	there := holder{ID: "another", Host: "web-2", Boot: "another", PID: 1, Since: time.Now()}
	for name, c := range map[string]struct {
		mark string
		free bool
	}{
		"lives there": {markOf(there, time.Now().Add(holderLife)), false},
		"long past":   {markOf(there, time.Now().Add(-time.Hour)), true},
		"given back":  {"0", true},
	} {
		t.Run(name, func(t *testing.T) {
			o := openStore(t, c.mark)
			o.Command, o.Alone = true, false
			e, err := open(ctx, o)
			if c.free != (err == nil) || !c.free && !errors.Is(err, ErrInUse) {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			defer e.close()
			e.renew()
			if text, _, _, err := readMark(ctx, e.store); err != nil || text != "0" {
				t.Errorf("the mark is %q, %v", text, err)
			}
		})
	}
}

// ED-07 processes are one by their ID alone: containers have the same host name and process id. Without a name of the
// kernel, as on macOS, the host's says whose locks are seen.
func TestHoldersAreToldApart(t *testing.T) {
	here := holder{ID: "a", Host: "web", PID: 7, Since: processStart}
	twin := here
	twin.ID = "b"
	old := here
	old.ID = ""
	if !here.same(here) || here.same(twin) || old.same(old) {
		t.Error("same")
	}
	for _, c := range []struct {
		a, b holder
		want bool
	}{
		{holder{Boot: "1", Host: "a"}, holder{Boot: "1", Host: "b"}, true},
		{holder{Boot: "1", Host: "a"}, holder{Boot: "2", Host: "a"}, false},
		{holder{Boot: "1", Host: "a"}, holder{Host: "a"}, false},
		{holder{Host: "a"}, holder{Host: "a"}, true},
		{holder{Host: "a"}, holder{Host: "b"}, false},
		{holder{}, holder{}, false},
	} {
		if c.a.sees(c.b) != c.want {
			t.Errorf("%+v sees %+v: %v", c.a, c.b, !c.want)
		}
	}
}
