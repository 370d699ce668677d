package audit_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

var success = audit.Event{Event: audit.AuthnLoginSuccess, Outcome: "success"}

func verifyFile(t testing.TB, path string, lines int) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	report, err := audit.VerifyFile(f)
	intact(t, report, err, lines)
}

func lineCount(path string) int {
	raw, _ := os.ReadFile(path)
	return bytes.Count(raw, []byte("\n"))
}

// AU-05: rows that were changed, cut or moved in the database itself.
func TestAlteredDatabaseIsFound(t *testing.T) {
	for name, c := range map[string]struct{ sql, want string }{
		"control":          {"UPDATE audit SET ip = ip", ""},
		"changed line":     {"UPDATE audit SET line = (SELECT line FROM audit WHERE seq = 2) WHERE seq = 3", "is repeated"},
		"changed column":   {"UPDATE audit SET actor_id = 'another' WHERE seq = 3", "columns"},
		"cut at the start": {"DELETE FROM audit WHERE seq < 3", "events 1 to 2 are missing"},
		"cut in between":   {"DELETE FROM audit WHERE seq = 3", "events 3 to 3 are missing"},
		"cut at the end":   {"DELETE FROM audit WHERE seq > 4", "missing at the end"},
		"all gone":         {"DELETE FROM audit", "missing at the end"},
		"head moved back":  {"UPDATE audit_head SET seq = 4", "not the one that the head"},
		"renumbered":       {"UPDATE audit SET seq = seq + 100 WHERE seq = 5", "columns"},
	} {
		both(t, nil, func(t *testing.T, l logged) {
			t.Run(name, func(t *testing.T) {
				for range 5 {
					appendEvent(t, l.Log, success)
				}
				driver := map[string]string{"sqlite": "sqlite", "postgres": "pgx"}[l.cfg.Driver]
				db, err := sql.Open(driver, l.cfg.DSN)
				must(t, err)
				defer db.Close()
				_, err = db.Exec(c.sql)
				must(t, err)
				report, err := audit.VerifyStore(context.Background(), l.store)
				must(t, err)
				if found := strings.Join(report.Problems, "; "); (found == "") != (c.want == "") ||
					!strings.Contains(found, c.want) {
					t.Errorf("%q, want %q", found, c.want)
				}
			})
		})
	}
}

// The file holds the rows of all nodes, is private, and is rotated by name or by truncation without losing a line.
func TestFileFollowsTheRowsOfAllNodesAcrossRotation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	path := filepath.Join(dir, "audit.jsonl")
	both(t, func(*testing.T) audit.Config { must(t, os.RemoveAll(dir)); return audit.Config{File: path} },
		func(t *testing.T, l logged) {
			node := open(t, storetest.Open(t, l.cfg), audit.Config{})
			appendEvent(t, l.Log, success)
			appendEvent(t, node, success)
			waitFor(t, "rows of both nodes", func() bool { return lineCount(path) == 2 })
			verifyFile(t, path, 2)
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", info.Mode(), err)
			}
			must(t, os.Rename(path, path+".1"))
			appendEvent(t, l.Log, success)
			appendEvent(t, l.Log, success)
			waitFor(t, "rows in the new file", func() bool { return lineCount(path) == 2 })
			verifyFile(t, path, 2)
			verifyFile(t, path+".1", 2)
			must(t, os.Truncate(path, 0)) // logrotate's copytruncate
			appendEvent(t, l.Log, success)
			waitFor(t, "rows after truncation", func() bool { return lineCount(path) == 1 })
			verifyFile(t, path, 1)
			whole, _ := os.ReadFile(path + ".1")
			last, _ := os.ReadFile(path)
			if !bytes.Contains(whole, []byte(`"seq":1,`)) || !bytes.Contains(last, []byte(`"seq":5,`)) {
				t.Errorf("%s\n%s", whole, last)
			}
		})
}

// FAULTS 18: whatever a kill left at the end of the file, it is one chain after the next start.
func TestTornLastLineIsCompletedAtStart(t *testing.T) {
	st := sqlite(t)
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, st, audit.Config{File: path})
	for range 4 {
		appendEvent(t, l, success)
	}
	closeLog(t, l)
	verifyFile(t, path, 4)
	whole, err := os.ReadFile(path)
	must(t, err)
	firstLine := bytes.IndexByte(whole, '\n') + 1
	for _, keep := range []int{len(whole) - 1, len(whole) - 2, len(whole) - 100, firstLine + 1, firstLine, firstLine - 1} {
		must(t, os.WriteFile(path, whole[:keep], 0o600))
		closeLog(t, open(t, st, audit.Config{File: path}))
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, whole) {
			t.Errorf("cut at %d of %d: %d bytes, %v", keep, len(whole), len(got), err)
		}
	}
	must(t, os.WriteFile(path, whole[:5], 0o600)) // too little to tell which event it was: the newest, a chain in any case
	closeLog(t, open(t, st, audit.Config{File: path}))
	verifyFile(t, path, 1)
	must(t, os.WriteFile(path, whole, 0o600))

	// What another program wrote at the end stays, as a line that verification names.
	must(t, os.WriteFile(path, append(bytes.Clone(whole), "forg"...), 0o600))
	l = open(t, st, audit.Config{File: path})
	appendEvent(t, l, success)
	closeLog(t, l)
	f, _ := os.Open(path)
	defer f.Close()
	if report, err := audit.VerifyFile(f); err != nil || len(report.Problems) != 1 || report.LastSeq != 5 {
		t.Errorf("%+v %v", report, err)
	}
}

func TestFileOfAnotherDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, sqlite(t), audit.Config{File: path})
	appendEvent(t, l, success)
	closeLog(t, l)
	before, _ := os.ReadFile(path)
	for name, content := range map[string][]byte{"another log": before, "a text": []byte("hello\n"),
		"a text without end": []byte("hello"), "JSON": []byte("{}\n")} {
		must(t, os.WriteFile(path, content, 0o600))
		if l, err := audit.New(sqlite(t), audit.Config{File: path}); err == nil {
			closeLog(t, l)
			t.Errorf("%s was taken as the log of an empty database", name)
		} else if !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
			t.Errorf("%s was changed", name)
		}
	}
}

// R11: during a reload two configurations follow one file; each row is in it once.
func TestTwoFollowersOfOneFileWriteEachRowOnce(t *testing.T) {
	st := sqlite(t)
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	old, next := open(t, st, audit.Config{File: path}), open(t, st, audit.Config{File: path})
	var all sync.WaitGroup
	for range 20 {
		for _, l := range []*audit.Log{old, next} {
			all.Go(func() {
				err := storetest.InTurn(func() error {
					_, err := l.Append(context.Background(), success)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	closeLog(t, old)
	appendEvent(t, next, success)
	waitFor(t, "the second takes over", func() bool { return lineCount(path) == 41 })
	verifyFile(t, path, 41)
}

// change tries a change of security and tells how long it took and whether it happened.
func change(t testing.TB, l *audit.Log, st *store.Store, key string) (took time.Duration, failed error) {
	t.Helper()
	ctx, start := context.Background(), time.Now()
	err := st.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.SetMeta(ctx, key, "done"); err != nil {
			return err
		}
		_, err := l.Within(ctx, tx, success)
		return err
	})
	if _, missing := st.Meta(ctx, key); (err == nil) == errors.Is(missing, store.ErrNotFound) {
		t.Errorf("%s: reported %v, in the database: %v", key, err, missing)
	}
	return time.Since(start), err
}

func refused(t testing.TB, l *audit.Log, st *store.Store, key string) {
	t.Helper()
	took, err := change(t, l, st, key)
	if identity.CodeOf(err) != identity.CodeStateUnavailable {
		t.Errorf("%s: %v after %v", key, err, took)
	}
	timebound.Check(t, "the refusal of "+key, took, time.Second)
	if l.Health() == nil {
		t.Errorf("%s: healthy", key)
	}
}

// AU-06, FAULTS 21: a FIFO without a reader. Changes fail at once, denials are still recorded, and with a reader it
// heals.
func TestFIFOWithoutReaderRefusesChangesAtOnce(t *testing.T) {
	st := sqlite(t)
	path := filepath.Join(t.TempDir(), "fifo")
	must(t, syscall.Mkfifo(path, 0o600))
	l := open(t, st, audit.Config{File: path})
	refused(t, l, st, "no reader")
	l.Note(audit.Event{Event: audit.AuthzFail, Outcome: "deny"})
	waitFor(t, "the denial", func() bool { seq, _, _ := st.AuditHead(context.Background()); return seq == 1 })

	careless := open(t, st, audit.Config{File: path, OnFailure: "continue"})
	if _, err := change(t, careless, st, "continue"); err != nil {
		t.Errorf("on_failure continue: %v", err)
	}

	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	must(t, err)
	waitFor(t, "healed", func() bool { return l.Health() == nil && careless.Health() == nil })
	if _, err := change(t, l, st, "with a reader"); err != nil {
		t.Error(err)
	}
	waitFor(t, "a gap record", func() bool {
		rows, _ := st.ListAudit(context.Background(), store.AuditFilter{Event: audit.Gap})
		return len(rows) == 2
	})
	closeLog(t, careless)

	// The reader stops reading: the pipe fills, writes end within their time, and changes fail.
	start := time.Now()
	for l.Health() == nil && time.Since(start) < 15*time.Second {
		for i := range 20 {
			_, _ = change(t, l, st, fmt.Sprint("filling ", time.Since(start), i))
		}
	}
	refused(t, l, st, "full pipe")
	_ = reader.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, _ = io.Copy(io.Discard, reader)
	must(t, reader.Close())
}

// AU-06, FAULTS 21: a file that may not grow. Nothing changes without its record, and afterwards the chain goes on.
func TestFullFileRefusesChangesAndHeals(t *testing.T) {
	st := storetest.Open(t, storetest.Fresh(t, "postgres")) // its server is another process: the limit is not its own
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, st, audit.Config{File: path})
	appendEvent(t, l, success)
	waitFor(t, "the first line", func() bool { return lineCount(path) == 1 })
	var old syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
	limit := old
	limit.Cur = 80_000
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old) })
	done := 1
	for ; done < 1000; done++ {
		if _, err := change(t, l, st, fmt.Sprint("change ", done)); err != nil {
			break
		}
	}
	if done == 1000 {
		t.Fatal("the limit was never met")
	}
	refused(t, l, st, "full")
	for range 300 { // denials go on to the database; the file is at its limit now, probably within a line
		l.Note(audit.Event{Event: audit.AuthzFail, Outcome: "deny", UserAgent: strings.Repeat("x ", 200)})
	}
	waitFor(t, "a write fails", func() bool {
		seq, _, _ := st.AuditHead(context.Background())
		return int(seq) == done+300 && l.Health() != nil
	})
	refused(t, l, st, "still full")
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old))
	waitFor(t, "healed", func() bool { return l.Health() == nil })
	if _, err := change(t, l, st, "afterwards"); err != nil {
		t.Error(err)
	}
	closeLog(t, l)
	seq, _, _ := st.AuditHead(context.Background())
	verifyFile(t, path, int(seq))
}

func TestFolderInPlaceOfTheFileRefusesChanges(t *testing.T) {
	st := sqlite(t)
	l := open(t, st, audit.Config{File: t.TempDir()})
	refused(t, l, st, "folder")
}
