package claim

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/store"
)

// engine uses a claimed store.
type engine struct {
	*Claim
	store *store.Store
}

// open opens a store as the gateway does.
func open(ctx context.Context, o Options) (*engine, error) {
	c, err := Take(ctx, o)
	if err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, store.Config{DSN: o.Path})
	if err != nil {
		c.Release()
		return nil, err
	}
	e := &engine{c, st}
	if err := c.Mark(ctx, st); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *engine) close() error {
	e.Unmark(e.store)
	err := e.store.Close()
	e.Release()
	return err
}

// renew renews the mark, and reports whether the store is still this process's.
func (e *engine) renew() bool { return e.Renew(context.Background(), e.store) }

// openStore creates a store, closes it and returns the options that claim it.
func openStore(t *testing.T, mark string) Options {
	t.Helper()
	o := Options{Path: filepath.Join(t.TempDir(), "truxe.db"), Alone: true, Logger: slog.New(slog.DiscardHandler),
		Now: time.Now}
	st, err := store.Open(context.Background(), store.Config{DSN: o.Path})
	if err != nil {
		t.Fatal(err)
	}
	if mark != "" {
		if err := st.SetMeta(context.Background(), holderKey, mark); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return o
}

func markOf(h holder, until time.Time) string {
	return strconv.FormatInt(until.UnixMilli(), 10) + " " + string(h.text())
}

// ED-07 A7 the mark in the database speaks where locks do not reach. One that is given back, long past, or of a process
// of this machine that holds no lock costs no wait; one of another machine keeps the command line out.
func TestMarkOfAnotherMachineHoldsTheStore(t *testing.T) {
	here := holderOf(Options{})
	there := holder{Host: "web-2", Boot: "another", PID: 4711, Since: time.Now()}
	dead := here
	dead.ID, dead.PID = "another", 1<<30
	for name, c := range map[string]struct {
		mark string
		free bool
	}{
		"given back":           {"0", true},
		"long past":            {markOf(there, time.Now().Add(-markSkew-time.Second)), true},
		"killed here":          {markOf(dead, time.Now().Add(holderLife)), true},
		"lives there":          {markOf(there, time.Now().Add(holderLife)), false},
		"its clock is behind":  {markOf(there, time.Now().Add(-30*time.Second)), false},
		"an earlier version's": {strconv.FormatInt(time.Now().Add(holderLife).UnixMilli(), 10), false},
	} {
		t.Run(name, func(t *testing.T) {
			o := openStore(t, c.mark)
			o.Command = true
			e, err := open(context.Background(), o)
			if err == nil {
				err = e.close()
			}
			if c.free != (err == nil) || !c.free && !errors.Is(err, ErrInUse) {
				t.Fatal(err)
			}
			if name == "lives there" && !strings.Contains(err.Error(), "process 4711 on host web-2") {
				t.Error(err)
			}
		})
	}
}

// ED-07 the lock says who holds it, and what another process wrote there is shown as text alone.
func TestLockOfAnotherProcessIsNamed(t *testing.T) {
	o := openStore(t, "")
	lock, _, err := store.LockFile(o.Path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	o.Command = true
	for text, says := range map[string]string{
		string(holder{Host: "web-1\x1b[31m\n", PID: 99, Since: time.Now()}.text()): "process 99 on host web-1[31m (gateway",
		"not JSON": "another process",
		"":         "another process",
	} {
		if err := lock.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		_, err := open(context.Background(), o)
		if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), says) || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := open(context.Background(), o)
	if err != nil {
		t.Fatal("control: ", err)
	}
	_ = e.close()
}

// ED-07 two engines of one process share a claim; the store is free when the last has closed.
func TestEnginesOfOneProcessShareAClaim(t *testing.T) {
	ctx := context.Background()
	o := openStore(t, "")
	first, err := open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	second, err := open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	free := func() bool {
		lock, _, err := store.LockFile(o.Path, false)
		if err == nil {
			_ = lock.Close()
		}
		return err == nil
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	if free() {
		t.Error("the first took the second's claim along")
	}
	if until := readMarkAt(t, second); !until.After(time.Now()) {
		t.Errorf("the first gave the second's mark back: %v", until)
	}
	if err := second.close(); err != nil {
		t.Fatal(err)
	}
	if !free() {
		t.Error("the store is still locked")
	}
}

func readMarkAt(t *testing.T, e *engine) time.Time {
	t.Helper()
	_, until, _, err := readMark(context.Background(), e.store)
	if err != nil {
		t.Fatal(err)
	}
	return until
}

// ED-07 engines of one process find one claim though the store was not there when the first came: behind a link to its
// folder, and behind a link to a file that is still missing.
func TestEnginesShareAClaimOnAStoreBehindLinks(t *testing.T) {
	ctx := context.Background()
	for name, target := range map[string]string{"folder": "", "file": "elsewhere/own.db"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			folder := filepath.Join(dir, "real")
			if err := errors.Join(os.Mkdir(folder, 0o700), os.Symlink("real", filepath.Join(dir, "link"))); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "link", "below", "truxe.db")
			if target != "" {
				path = filepath.Join(dir, "link", "truxe.db")
				if err := os.Symlink(target, path); err != nil {
					t.Fatal(err)
				}
			}
			o := Options{Path: path, Alone: true, Command: true, Logger: slog.New(slog.DiscardHandler), Now: time.Now}
			first, err := open(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			defer first.close()
			second, err := open(ctx, o)
			if err != nil {
				t.Fatal("the process locked itself out: ", err)
			}
			if second.sharedClaim != first.sharedClaim {
				t.Error("two claims on one store")
			}
			if err := second.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// ED-07 when a shared lock is lost while it is changed into one alone, the engines that shared it end.
func TestEnginesThatLostTheirSharedLockEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "truxe.db")
	node, lone := &Claim{}, &Claim{Options: Options{Alone: true}}
	if _, err := node.take(path); err != nil {
		t.Fatal(err)
	}
	if node.lost() {
		t.Error("control: lost at once")
	}
	if err := node.lock.Close(); err != nil {
		t.Fatal(err)
	}
	other, _, err := store.LockFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := lone.take(path); !errors.Is(err, store.ErrLocked) {
			t.Errorf("beside another process: %v", err)
		}
	}
	if !node.lost() {
		t.Error("the engine that shared the lock goes on")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := lone.take(path); err != nil || lone.lost() {
		t.Error("control: ", err)
	}
	node.Release() // not the claim of the other
	if claims.of[path] != lone.sharedClaim {
		t.Error("the claim is gone")
	}
	lone.Release()
}

// Text of another process is bounded and cannot panic the reader.
func FuzzReadHolder(f *testing.F) {
	f.Add([]byte(`{"host":"a","pid":1}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s := readHolder(text).String(); len(s) > 600 || strings.ContainsAny(s, "\n\x1b") {
			t.Errorf("%q", s)
		}
	})
}

// The mark of another version or process never panics the reader; one that is not a time after 1970 holds nothing.
func FuzzParseMark(f *testing.F) {
	for _, text := range []string{"1700000000000 {\"host\":\"a\",\"pid\":1}", "0", "", "-5 {}", "9223372036854775807 null",
		"x y"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		until, by := parseMark(text)
		if !until.IsZero() && until.UnixMilli() <= 0 || len(by.String()) > 600 {
			t.Errorf("%q: %v %s", text, until, by)
		}
	})
}
