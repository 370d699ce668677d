package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cluster/clustertest"
	"github.com/truxeio/caddy-truxe/internal/cluster/redistest"
)

// logged collects log lines.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// FIELD 47 ED-09: what Redis refuses is said in its own word, once, and shows neither user nor password; a call says it
// too.
func TestRefusalsOfRedisAreSaidOnce(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "right", "--user", "QuietUser", "on", ">QuietWord", "~truxe:*", "+@all",
		"-time")
	for name, c := range map[string]struct{ url, says string }{
		"password": {"redis://:QuietWord@" + s.Addr(), "WRONGPASS"},
		"none":     {"redis://" + s.Addr(), "NOAUTH"},
		"database": {"redis://:right@" + s.Addr() + "/99", "DB index is out of range"},
		"command":  {"redis://QuietUser:QuietWord@" + s.Addr(), "scripts need time"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := cluster.ParseURL(c.url)
			if err != nil {
				t.Fatal(err)
			}
			log := &logged{}
			r, err := cluster.Open(*o, slog.New(slog.NewTextHandler(log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			clustertest.Begin(t, r, &clustertest.Recorder{})
			clustertest.Eventually(t, "the refusal is known", 5*time.Second, func() bool { return r.Health().Refused != nil })
			time.Sleep(1500 * time.Millisecond)
			_, err = r.Reserve(context.Background(), []cluster.Bucket{{Key: "k", Burst: 1, Window: time.Second}})
			text := log.String()
			if !errors.Is(err, cluster.ErrUnavailable) || !strings.Contains(r.Health().Refused.Error(), c.says) ||
				!strings.Contains(text, c.says) {
				t.Errorf("call: %v; health: %v; log: %s", err, r.Health().Refused, text)
			}
			if n := strings.Count(text, c.says); n > 2 { // the feed and the calls
				t.Errorf("said %d times: %s", n, text)
			}
			if all := text + err.Error() + r.Health().Refused.Error(); strings.Contains(all, "Quiet") ||
				strings.Contains(all, "right") {
				t.Errorf("a secret is shown: %s", all)
			}
		})
	}
}
