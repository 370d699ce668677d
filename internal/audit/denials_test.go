package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ED-10 R14 whoever is refused again and again leaves a row a minute, whose numbers add up to all that was refused;
// another user, site, reason or rule has its own; a stranger's addresses do not.
func TestRepeatedDenialsAreCountedAndNotWritten(t *testing.T) {
	st, now := sqlite(t), time.Now()
	l := open(t, st, audit.Config{Now: func() time.Time { return now }})
	made := 0
	deny := func(kind audit.Denial, ip string) string {
		return l.Deny(kind, func() audit.Event {
			made++
			return audit.Event{Event: audit.AuthzFail, Outcome: "deny", IP: ip, Actor: audit.Actor{ID: kind.User},
				Reason: kind.Reason, Details: map[string]string{"rule": kind.Rule}}
		})
	}
	kinds := []audit.Denial{{}, {User: "u1"}, {User: "u2"}, {User: "u1", Site: "s"}, {User: "u1", Reason: "r"},
		{User: "u1", Rule: "x"}}
	first := map[audit.Denial]string{}
	for i := range 3000 {
		kind := kinds[i%len(kinds)]
		reference := deny(kind, fmt.Sprintf("192.0.2.%d", i%250))
		if i < len(kinds) {
			first[kind] = reference
		} else if reference != first[kind] {
			t.Fatalf("denial %d of %v has the reference %s, the row has %s", i, kind, reference, first[kind])
		}
	}
	if made != len(kinds) {
		t.Errorf("%d events were made for %d rows", made, len(kinds))
	}
	now = now.Add(2 * time.Minute)
	if reference := deny(kinds[1], ""); reference == first[kinds[1]] {
		t.Error("a minute later there is no new row")
	}
	closeLog(t, l)
	rows, sum := denialRows(t, st)
	if rows != 2*len(kinds) || sum != 3001 {
		t.Errorf("%d rows tell of %d refusals, want %d and 3001", rows, sum, 2*len(kinds))
	}
}

// ED-10 R14 with more users and sites than are counted apart, further ones are counted together.
func TestKindsOfDenialsAreBounded(t *testing.T) {
	st, now := sqlite(t), time.Now()
	l := open(t, st, audit.Config{Now: func() time.Time { return now }})
	for i := range 20_000 {
		l.Deny(audit.Denial{User: "u" + strconv.Itoa(i), Reason: "role_required"}, func() audit.Event {
			return audit.Event{Event: audit.AuthzFail, Outcome: "deny", Reason: "role_required", Details: map[string]string{}}
		})
	}
	closeLog(t, l)
	if rows, sum := denialRows(t, st); rows > 1100 || sum != 20_000 {
		t.Errorf("%d rows tell of %d refusals", rows, sum)
	}
}

// denialRows counts the rows and the refusals that they tell of.
func denialRows(t *testing.T, st *store.Store) (rows, refusals int) {
	t.Helper()
	for after := int64(0); ; {
		list, err := st.ListAudit(context.Background(), store.AuditFilter{Event: audit.AuthzFail, After: after,
			Ascending: true, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range list {
			var line struct{ Details map[string]string }
			if err := json.Unmarshal(row.Line, &line); err != nil {
				t.Fatal(err)
			}
			more, _ := strconv.Atoi(line.Details["suppressed"])
			if rows++; line.Details["first"] == "" {
				refusals++
			}
			refusals += more
			after = row.Seq
		}
		if len(list) < 1000 {
			return rows, refusals
		}
	}
}

// ED-10 R14 refusals of another event are counted apart, and their rows say whose they are.
func TestDenialsOfAnotherEventKeepIt(t *testing.T) {
	st, now := sqlite(t), time.Now()
	l := open(t, st, audit.Config{Now: func() time.Time { return now }})
	for range 10 {
		l.Deny(audit.Denial{Event: audit.AuthnLoginLock, Reason: "rate_limited"}, func() audit.Event {
			return audit.Event{Event: audit.AuthnLoginLock, Outcome: "refused", Subject: audit.Subject{Name: "ada"},
				Reason: "rate_limited"}
		})
	}
	now = now.Add(2 * time.Minute)
	l.Deny(audit.Denial{Event: audit.AuthnLoginLock, Reason: "rate_limited"}, func() audit.Event { // its details are nil
		return audit.Event{Event: audit.AuthnLoginLock, Outcome: "refused", Subject: audit.Subject{Name: "ada"},
			Reason: "rate_limited"}
	})
	l.Deny(audit.Denial{Event: audit.AuthnLoginLock, Reason: "rate_limited"}, nil)
	closeLog(t, l)
	rows, err := st.ListAudit(context.Background(), store.AuditFilter{Event: audit.AuthnLoginLock, Limit: 10})
	if err != nil || len(rows) != 3 {
		t.Fatal(len(rows), err)
	}
	for _, row := range rows {
		var line struct {
			Outcome string
			Subject audit.Subject
		}
		if err := json.Unmarshal(row.Line, &line); err != nil || line.Outcome != "refused" || line.Subject.Name != "ada" {
			t.Errorf("%s %v", row.Line, err)
		}
	}
	if n, _ := denialRows(t, st); n != 0 {
		t.Errorf("%d rows of another event", n)
	}
}

// ED-10 R14 what an event is made of takes a while: other refusals, and those of the same kind, do not wait for it.
func TestDenialsDoNotWaitForEachOther(t *testing.T) {
	st := sqlite(t)
	l := open(t, st, audit.Config{})
	making, done := make(chan struct{}), make(chan struct{})
	event := func() audit.Event {
		return audit.Event{Event: audit.AuthzFail, Outcome: "deny", Reason: "role_required", Details: map[string]string{}}
	}
	var first string
	go func() {
		first = l.Deny(audit.Denial{User: "slow"}, func() audit.Event { making <- struct{}{}; <-making; return event() })
		close(done)
	}()
	<-making
	l.Deny(audit.Denial{User: "quick"}, event)
	second := l.Deny(audit.Denial{User: "slow"},
		func() audit.Event { t.Error("the same kind made a second row"); return event() })
	making <- struct{}{}
	<-done
	if first != second || first == "" {
		t.Errorf("references %q and %q", first, second)
	}
	closeLog(t, l)
	if rows, sum := denialRows(t, st); sum != 3 || rows != 3 { // slow, quick, and the count of the second one
		t.Errorf("%d rows tell of %d refusals", rows, sum)
	}
}
