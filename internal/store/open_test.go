package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// raw runs a statement beside the store.
func raw(t testing.TB, cfg store.Config, statements ...string) {
	t.Helper()
	db, err := sql.Open(map[string]string{"sqlite": "sqlite", "postgres": "pgx"}[cfg.Driver], cfg.DSN)
	must(t, err)
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func refuses(t testing.TB, cfg store.Config, want ...string) {
	t.Helper()
	s, err := store.Open(context.Background(), cfg)
	if err == nil {
		_ = s.Close()
		t.Fatal("opened")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
}

// fill creates a database with a user in it.
func fill(t testing.TB, cfg store.Config) identity.ID {
	t.Helper()
	s, err := store.Open(context.Background(), cfg)
	must(t, err)
	id := identity.NewID()
	must(t, s.CreateUser(context.Background(), store.NewUser{User: identity.User{ID: id, Username: "ada",
		Created: time.Now()}, UsernameKey: "ada"}))
	must(t, s.Close())
	return id
}

// FAULTS 15: nodes that start at once on an empty database migrate it once, and all serve.
func TestNodesThatStartAtOnceMigrateOnce(t *testing.T) {
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		var log syncBuffer
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		stores := make([]*store.Store, 6)
		var all sync.WaitGroup
		for i := range stores {
			all.Go(func() {
				s, err := store.Open(context.Background(), cfg)
				if err != nil {
					t.Errorf("node %d: %v", i, err)
					return
				}
				stores[i] = s
			})
		}
		all.Wait()
		for i, s := range stores {
			if s == nil {
				continue
			}
			if got, err := s.SetMetaOnce(context.Background(), "k", fmt.Sprint(i)); err != nil || got != "0" {
				t.Errorf("node %d: %q %v", i, got, err)
			}
			must(t, s.Close())
		}
		if n := strings.Count(log.String(), "the database is up to date"); n != 1 {
			t.Errorf("%d nodes migrated\n%s", n, log.String())
		}
	})
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// FAULTS 13: a database that a newer version wrote, or that is half migrated or half restored, is refused with what to
// do, and is as before.
func TestDatabaseThatCannotBeTrustedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		sql  []string
		want []string
	}{
		"newer": {[]string{"INSERT INTO schema_version (version_id, is_applied) VALUES (9999, %s)"},
			[]string{"9999", "newer version", "nothing was changed"}},
		"table is missing": {[]string{"DROP TABLE revocations"}, []string{"revocations", "half", "backup"}},
		"column missing":   {[]string{"ALTER TABLE meta RENAME COLUMN value TO other"}, []string{"meta", "half", "backup"}},
		"no version":       {[]string{"DROP TABLE schema_version"}, []string{"exist", "backup"}},
		"no audit head":    {[]string{"DELETE FROM audit_head"}, []string{"audit", "backup"}},
	} {
		storetest.Both(t, func(t *testing.T, cfg store.Config) {
			t.Run(name, func(t *testing.T) {
				fill(t, cfg)
				for _, s := range c.sql {
					if strings.Contains(s, "%s") {
						s = fmt.Sprintf(s, map[string]string{"sqlite": "1", "postgres": "true"}[cfg.Driver])
					}
					raw(t, cfg, s)
				}
				refuses(t, cfg, c.want...)
				db, err := sql.Open(map[string]string{"sqlite": "sqlite", "postgres": "pgx"}[cfg.Driver], cfg.DSN)
				must(t, err)
				defer db.Close()
				var user string
				if err := db.QueryRow("SELECT username FROM users").Scan(&user); err != nil || user != "ada" {
					t.Errorf("the user is gone: %v", err)
				}
			})
		})
	}
}

// FAULTS 13: damage anywhere in the file is found at start, named, and left as it is.
func TestDamagedFileIsRefusedAndKept(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"no database":        func([]byte) []byte { return bytes.Repeat([]byte("not a database, "), 500) },
		"overwritten header": func(b []byte) []byte { copy(b, "XXXXXXXXXXXXXXXXXXXX"); return b },
		"overwritten pages": func(b []byte) []byte {
			return append(append(b[:4096:4096], bytes.Repeat([]byte{0xa5}, 8192)...), b[3*4096:]...)
		},
		"cut short": func(b []byte) []byte { return b[:len(b)/2+100] },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := storetest.Fresh(t, "sqlite")
			fill(t, cfg)
			content, err := os.ReadFile(cfg.DSN)
			must(t, err)
			broken := damage(content)
			must(t, os.WriteFile(cfg.DSN, broken, 0o600))
			refuses(t, cfg, cfg.DSN, "nothing was changed", "backup")
			if after, err := os.ReadFile(cfg.DSN); err != nil || !bytes.Equal(after, broken) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

func TestFileIsPrivateAndOddPathsWork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "for 100% ?of #it&_pragma=x")
	cfg := store.Config{Driver: "sqlite", DSN: filepath.Join(dir, "tru;xe.db")}
	s := storetest.Open(t, cfg)
	must(t, s.SetMeta(context.Background(), "k", "v"))
	for path, want := range map[string]os.FileMode{dir: 0o700, cfg.DSN: 0o600, cfg.DSN + "-wal": 0o600,
		cfg.DSN + "-shm": 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	open := storetest.Fresh(t, "sqlite")
	fill(t, open)
	must(t, os.Chmod(open.DSN, 0o644))
	s = storetest.Open(t, open)
	if info, _ := os.Stat(open.DSN); info.Mode().Perm() != 0o600 || len(s.Warnings()) != 1 {
		t.Errorf("mode %v, warnings %v", info.Mode(), s.Warnings())
	}
}

// FAULTS 12: a file that cannot be written is said at start.
func TestFileThatCannotBeWrittenIsRefused(t *testing.T) {
	cfg := storetest.Fresh(t, "sqlite")
	fill(t, cfg)
	must(t, os.Chmod(cfg.DSN, 0o400))
	refuses(t, cfg, "user that runs Caddy", cfg.DSN)
	must(t, os.Chmod(cfg.DSN, 0o600))
	storetest.Open(t, cfg)
	refuses(t, store.Config{Driver: "sqlite", DSN: t.TempDir()}, "directory")
	refuses(t, store.Config{Driver: "sqlite"}, "path")
	refuses(t, store.Config{Driver: "mysql", DSN: "x"}, "sqlite or postgres")
}

// FAULTS 12: with a full disk what writes is unavailable, what reads goes on, and room ends it.
func TestFullDatabaseRefusesWritesAndStillReads(t *testing.T) {
	cfg := storetest.Fresh(t, "sqlite")
	s := storetest.Open(t, cfg)
	ctx := context.Background()
	id := identity.NewID()
	must(t, s.CreateUser(ctx, store.NewUser{User: identity.User{ID: id, Username: "ada", Created: time.Now()},
		UsernameKey: "ada"}))
	store.LimitPages(t, s, true)
	var err error
	for i := 0; i < 200 && err == nil; i++ {
		err = s.SetMeta(ctx, fmt.Sprint("k", i), strings.Repeat("x", 8000))
	}
	if !errors.Is(err, store.ErrUnavailable) || identity.CodeOf(err) != identity.CodeStateUnavailable {
		t.Fatalf("%v", err)
	}
	if _, err := s.UserByID(ctx, id); err != nil {
		t.Errorf("reading: %v", err)
	}
	store.LimitPages(t, s, false)
	must(t, s.SetMeta(ctx, "k", "v"))
}

// FAULTS 11: another process holds the write lock. Writers get an answer in time, readers notice nothing.
func TestBusyFileIsUnavailableInTimeAndReadersGoOn(t *testing.T) {
	cfg := storetest.Fresh(t, "sqlite")
	id := fill(t, cfg)
	s := storetest.Open(t, cfg)
	ctx := context.Background()
	other, err := sql.Open("sqlite", cfg.DSN)
	must(t, err)
	defer other.Close()
	conn, err := other.Conn(ctx)
	must(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	must(t, err)
	for name, write := range map[string]func() error{
		"statement":   func() error { return s.SetMeta(ctx, "k", "v") },
		"transaction": func() error { return s.Tx(ctx, func(tx *store.Tx) error { return tx.SetMeta(ctx, "k", "v") }) },
	} {
		start := time.Now()
		err := write()
		took := time.Since(start)
		if !errors.Is(err, store.ErrUnavailable) || took < 800*time.Millisecond {
			t.Errorf("%s: %v after %v", name, err, took)
		}
		timebound.Check(t, name, took, 1900*time.Millisecond)
	}
	start := time.Now()
	_, err = s.UserByID(ctx, id)
	must(t, err)
	timebound.Check(t, "reading", time.Since(start), 200*time.Millisecond)
	time.AfterFunc(400*time.Millisecond, func() { _, _ = conn.ExecContext(ctx, "ROLLBACK") })
	must(t, s.SetMeta(ctx, "k", "v")) // waits out the last 400 ms
}

// FAULTS 19: what was acknowledged is in the files at that moment.
func TestPowerCutKeepsWhatWasAcknowledged(t *testing.T) {
	cfg := storetest.Fresh(t, "sqlite")
	s := storetest.Open(t, cfg)
	ctx := context.Background()
	for i := range 20 {
		name := fmt.Sprint("jti", i)
		must(t, s.AddRevocation(ctx, store.Revocation{Kind: identity.RevokeJTI, Name: name, At: time.Now(),
			Expires: time.Now().Add(time.Hour)}))
		copied := filepath.Join(t.TempDir(), "copy.db")
		for _, suffix := range []string{"", "-wal"} { // not -shm: it is memory
			content, err := os.ReadFile(cfg.DSN + suffix)
			must(t, err)
			must(t, os.WriteFile(copied+suffix, content, 0o600))
		}
		after := storetest.Open(t, store.Config{Driver: "sqlite", DSN: copied})
		if n, err := after.CountRevocations(ctx, time.Now()); err != nil || n != i+1 {
			t.Fatalf("%d of %d revocations after the cut: %v", n, i+1, err)
		}
	}
	if mode := store.Synchronous(t, s); mode != 2 {
		t.Errorf("synchronous is %d, want 2 (FULL)", mode)
	}
}
