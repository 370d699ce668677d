package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
	"github.com/truxeio/caddy-truxe/internal/store/storetest/pgtest"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// logged is a database with a log on it.
type logged struct {
	*audit.Log
	store *store.Store
	cfg   store.Config
}

func open(t testing.TB, st *store.Store, cfg audit.Config) *audit.Log {
	t.Helper()
	l, err := audit.New(st, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeLog(t, l) })
	return l
}

func closeLog(t testing.TB, l *audit.Log) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Error(err)
	}
}

// both runs a test on a log over each database.
func both(t *testing.T, cfg func(t *testing.T) audit.Config, test func(t *testing.T, l logged)) {
	t.Helper()
	storetest.Both(t, func(t *testing.T, c store.Config) {
		st := storetest.Open(t, c)
		var ac audit.Config
		if cfg != nil {
			ac = cfg(t)
		}
		test(t, logged{open(t, st, ac), st, c})
	})
}

func sqlite(t testing.TB) *store.Store { return storetest.Open(t, storetest.Fresh(t, "sqlite")) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func appendEvent(t testing.TB, l *audit.Log, e audit.Event) string {
	t.Helper()
	ref, err := l.Append(context.Background(), e)
	must(t, err)
	return ref
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within 10 s", what)
}

func intact(t testing.TB, report audit.Report, err error, lines int) {
	t.Helper()
	if err != nil || len(report.Problems) > 0 || report.Lines != lines {
		t.Errorf("%d lines, want %d; %v %v", report.Lines, lines, report.Problems, err)
	}
}

// AU-01, AU-05: who, what, when, where, result and reference, in one chain although many nodes append at once.
func TestManyNodesWriteOneChain(t *testing.T) {
	both(t, nil, func(t *testing.T, l logged) {
		second := open(t, storetest.Open(t, l.cfg), audit.Config{})
		ctx := context.Background()
		var all sync.WaitGroup
		for i := range 20 {
			for _, node := range []*audit.Log{l.Log, second} {
				all.Go(func() {
					if _, err := node.Append(ctx, audit.Event{Event: audit.AuthnLoginSuccess, Outcome: "success",
						Actor: audit.Actor{ID: fmt.Sprint("u", i), Name: "ada"}}); err != nil {
						t.Error(err)
					}
				})
			}
			l.Note(audit.Event{Event: audit.AuthzFail, Outcome: "deny"})
		}
		all.Wait()
		waitFor(t, "60 events", func() bool { seq, _, err := l.store.AuditHead(ctx); return err == nil && seq == 60 })
		report, err := audit.VerifyStore(ctx, l.store)
		intact(t, report, err, 60)

		e := audit.Event{Event: audit.SessionRevoked, Outcome: "success", Actor: audit.Actor{ID: "a", Name: "ada"},
			Subject: audit.Subject{ID: "s", Session: "x"},
			IP:      "192.0.2.7", UserAgent: "Agent/1", Session: "y", Host: "app.example.com", Method: "POST", Path: "/p",
			Reason: "why", Details: map[string]string{"k": "v"}}
		ref := appendEvent(t, l.Log, e)
		rows, err := l.store.ListAudit(ctx, store.AuditFilter{Reference: ref})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%v %v", rows, err)
		}
		for _, want := range []string{`"actor":{"id":"a","name":"ada"}`, `"subject":{"id":"s","session":"x"}`,
			`"ip":"192.0.2.7"`, `"user_agent":"Agent/1"`, `"session":"y"`,
			`"host":"app.example.com"`, `"method":"POST"`, `"path":"/p"`, `"reason":"why"`, `"details":{"k":"v"}`,
			`"reference":"` + ref + `"`, `"outcome":"success"`, `Z"`} {
			if !bytes.Contains(rows[0].Line, []byte(want)) {
				t.Errorf("%s is missing in %s", want, rows[0].Line)
			}
		}
	})
}

// R9, F7: the change and its record happen together or not at all.
func TestAbandonedChangeLeavesNoRecordAndUnrecordedChangeDoesNotHappen(t *testing.T) {
	both(t, nil, func(t *testing.T, l logged) {
		ctx := context.Background()
		stop := errors.New("stop")
		err := l.store.Tx(ctx, func(tx *store.Tx) error {
			if _, err := l.Within(ctx, tx, audit.Event{Event: audit.UserDeleted}); err != nil {
				return err
			}
			return stop
		})
		if seq, _, _ := l.store.AuditHead(ctx); !errors.Is(err, stop) || seq != 0 {
			t.Errorf("%v, %d events", err, seq)
		}
		err = l.store.Tx(ctx, func(tx *store.Tx) error {
			if err := tx.SetMeta(ctx, "changed", "yes"); err != nil {
				return err
			}
			_, err := l.Within(ctx, tx, audit.Event{Event: "made_up"})
			return err
		})
		if _, missing := l.store.Meta(ctx, "changed"); err == nil || !errors.Is(missing, store.ErrNotFound) {
			t.Errorf("a change without a record: %v %v", err, missing)
		}
	})
}

// AU-03: canary search. None of our secrets gets into row or file, in whatever field it was put.
func TestSecretsAreNotWritten(t *testing.T) {
	st := sqlite(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, st, audit.Config{File: file})
	canaries := []string{
		"trx_rt_0123456789abcdefghijABCDEFGHIJ", "trx_pat_zzzzCANARYzzzz_x", "trx_sk_canary",
		"eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl",
		"eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9",
		"AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-AbCdE", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	}
	auth := "Authorization: Basic YWRhOmNhbmFyeQ=="
	for _, c := range append(canaries, auth) {
		for _, around := range []string{"%s", "?a=%s&b=%s", "x %s, %s.", strings.Repeat("é", 505) + " %s",
			strings.Repeat("%s ", 300), strings.Repeat("x", 8180) + "%s", "/.truxe/setup#t=%s"} {
			s := strings.ReplaceAll(around, "%s", c)
			appendEvent(t, l, audit.Event{Event: audit.AuthzFail, Outcome: s, Actor: audit.Actor{ID: s, Name: s},
				Subject: audit.Subject{ID: s, Name: s, Session: s, Token: s},
				IP:      s, UserAgent: s, Session: s, Host: s, Method: s, Path: s, Reason: s,
				Details: map[string]string{s: s, "kid": s}})
		}
	}
	closeLog(t, l)
	written, err := os.ReadFile(file)
	must(t, err)
	for _, c := range append(canaries, "YWRhOmNhbmFyeQ") {
		if bytes.Contains(written, []byte(c)) || bytes.Contains(written, []byte(c[:min(len(c), 14)])) {
			t.Errorf("%s is in the file", c)
		}
	}
	// Accept control: what an operator needs is left.
	l = open(t, st, audit.Config{})
	ref := appendEvent(t, l, audit.Event{Event: audit.KeyRotated,
		Path:    "/blog/a-very-long-title-of-a-post-that-has-many-words-in-it",
		Session: "ivb5q2c7mxkzq3n4l6op7r8stu",
		Details: map[string]string{"kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}})
	rows, err := st.ListAudit(context.Background(), store.AuditFilter{Reference: ref})
	must(t, err)
	for _, want := range []string{"that-has-many-words-in-it", "ivb5q2c7mxkzq3n4l6op7r8stu",
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"} {
		if !bytes.Contains(rows[0].Line, []byte(want)) {
			t.Errorf("%s is missing in %s", want, rows[0].Line)
		}
	}
}

// AU-04: hostile strings give one valid line of bounded length on both databases.
func TestHostileTextIsOneHarmlessLine(t *testing.T) {
	both(t, func(t *testing.T) audit.Config { return audit.Config{File: filepath.Join(t.TempDir(), "a.jsonl")} },
		func(t *testing.T, l logged) {
			attacks := []string{"a\r\n{\"seq\":1,\"event\":\"authn_login_success\"}\n", "\x00", "\xff\xfe\xfd",
				"\x1b[2J\x1b]0;pwn\x07", "\u009b31m", "\u202egnp.exe", "\u2028\u2029",
				`"},"event":"x","a":{"`, `\u0000\`, strings.Repeat("😀", 5000), strings.Repeat("a ", 100_000), "\xed\xa0\x80",
				"<script>&amp;"}
			for _, a := range attacks {
				ref := appendEvent(t, l.Log, audit.Event{Event: audit.AuthnLoginFail, Outcome: a,
					Actor:   audit.Actor{ID: a, Name: a},
					Subject: audit.Subject{ID: a}, IP: a, UserAgent: a,
					Session: a, Host: a, Method: a, Path: a, Reason: a, Details: map[string]string{a: a}})
				rows, err := l.store.ListAudit(context.Background(), store.AuditFilter{Reference: ref})
				if err != nil || len(rows) != 1 {
					t.Fatalf("%.20q: %v", a, err)
				}
				if bytes.ContainsAny(rows[0].Line, "\r\n\x00\x1b\x7f") || bytes.Contains(rows[0].Line, []byte("\u202e")) ||
					bytes.Contains(rows[0].Line, []byte("\u009b")) {
					t.Errorf("%.20q: %q", a, rows[0].Line)
				}
				if len(rows[0].Line) > 13*4*512+2000 {
					t.Errorf("%.20q: %d bytes", a, len(rows[0].Line))
				}
			}
			report, err := audit.VerifyStore(context.Background(), l.store)
			intact(t, report, err, len(attacks))
		})
}

// F33, AU-02: an event outside the vocabulary is refused, and Note does not write it either.
func TestEventOutsideTheVocabularyIsRefused(t *testing.T) {
	st := sqlite(t)
	var seen []string
	l := open(t, st, audit.Config{OnEvent: func(e string) { seen = append(seen, e) }})
	if _, err := l.Append(context.Background(), audit.Event{Event: "authn_login_succes"}); err == nil {
		t.Error("a misspelt event was written")
	}
	l.Note(audit.Event{Event: "nothing_of_ours"})
	closeLog(t, l)
	if seq, _, _ := st.AuditHead(context.Background()); seq != 0 || len(seen) != 0 {
		t.Errorf("%d events, %v", seq, seen)
	}
	l = open(t, st, audit.Config{OnEvent: func(e string) { seen = append(seen, e) }})
	appendEvent(t, l, audit.Event{Event: audit.AuthnLoginSuccess})
	if len(seen) != 1 || seen[0] != audit.AuthnLoginSuccess {
		t.Errorf("counted %v", seen)
	}
}

// FAULTS 21: a flood of denials neither blocks nor vanishes silently.
func TestOverflowingQueueLeavesAGapRecord(t *testing.T) {
	st := sqlite(t)
	l := open(t, st, audit.Config{})
	ctx := context.Background()
	held, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- st.Tx(ctx, func(*store.Tx) error { close(held); <-release; return nil })
	}()
	<-held
	start := time.Now()
	for range 10_000 {
		if ref := l.Note(audit.Event{Event: audit.AuthzFail, Outcome: "deny"}); !strings.HasPrefix(ref, "R-") {
			t.Fatal("no reference")
		}
	}
	timebound.Check(t, "10,000 notes while the database is busy", time.Since(start), time.Second)
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	gaps, err := st.ListAudit(ctx, store.AuditFilter{Event: audit.Gap})
	if err != nil || len(gaps) == 0 {
		t.Fatalf("no gap record: %v", err)
	}
	lost := 0
	for _, g := range gaps {
		n := 0
		if at := bytes.Index(g.Line, []byte(`"lost":"`)); at >= 0 {
			_, _ = fmt.Sscanf(string(g.Line[at+8:]), "%d", &n)
		}
		lost += n
	}
	seq, _, _ := st.AuditHead(ctx)
	if int(seq)-len(gaps)+lost != 10_000 {
		t.Errorf("%d written and %d lost of 10,000", int(seq)-len(gaps), lost)
	}
	report, err := audit.VerifyStore(ctx, st)
	intact(t, report, err, int(seq))
}
