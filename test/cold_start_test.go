package test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// ED-41 D: a node that has just started answers parallel sign-ins, though a new connection to PostgreSQL takes longer
// than a request may wait for one, a second: it has connections before it is ready. Control: connections are that slow.
func TestFirstSignInsAfterAStartNeedNoNewConnection(t *testing.T) {
	pg, redis := rig.Postgres(t), rig.Redis(t)
	line := rig.Proxy(t, pg.Addr())
	dsn, err := url.Parse(pg.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	dsn.Host = line.Addr()
	s := tell(t, plot{
		options: "\t\tstorage postgres {env.TRUXE_DATABASE}\n\t\tredis {env.TRUXE_REDIS}\n\t\tencryption_key {env.TRUXE_ENCRYPTION_KEY}\n\t\trate_limit login 1000 5m\n\t\trate_limit address 1000 5m",
		sites:   site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
		env: []string{"TRUXE_DATABASE=" + dsn.String(), "TRUXE_REDIS=" + redis.URL(),
			"TRUXE_ENCRYPTION_KEY=" + freshKey()},
	})
	const slow = 1500 * time.Millisecond
	line.DelayOpen(slow)
	s.g.Restart()
	var wg sync.WaitGroup
	for range 12 { // fewer than may wait for a turn to hash a password
		wg.Go(func() {
			a, err := s.bare("app.test").try(http.MethodPost, "/.truxe/api/v1/login",
				`{"username":"pia","password":"`+piaPassword+`"}`, sendsJSON)
			if err != nil || a.status != http.StatusOK {
				t.Errorf("%v: %d with Retry-After %q: %s", err, a.status, a.header.Get("Retry-After"), a.body)
			}
		})
	}
	wg.Wait()
	began := time.Now()
	conn, err := pgx.Connect(t.Context(), dsn.String())
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < slow {
		t.Errorf("control: a new connection took %v", took)
	}
	_ = conn.Close(t.Context())
	line.Drop()
	v := s.bare("app.test")
	v.outage = true
	a := v.do(http.MethodPost, "/.truxe/api/v1/login", `{"username":"pia","password":"`+piaPassword+`"}`, sendsJSON)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("without a database: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
}
