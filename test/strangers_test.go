package test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// flood sends anonymous navigations with long targets from eight clients without cookies, each to a page of its own.
func (s *story) flood(host string, n int) {
	s.t.Helper()
	var all sync.WaitGroup
	each := n / 8
	for worker := range 8 {
		v := s.bare(host)
		all.Go(func() {
			for i := range each {
				a, err := v.try(http.MethodGet, fmt.Sprintf("/flood/%d/%d?q=%s", worker, i, strings.Repeat("&", 3900)), "",
					navigate)
				if err != nil || a.status != http.StatusFound {
					s.t.Errorf("a stranger's navigation: %d %v", a.status, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// survives sends a flood between the beginning and the end of sign-ins: that of a password, one that waits for its
// second step, one with a long deep link. Each ends at its page, and a revocation is acknowledged.
func (s *story) survives(flood func()) {
	s.t.Helper()
	f := s.withTOTP("app.test", "flora")
	link := "/long?q=" + randomText(9000)
	short, half, long := s.browser("app.test"), s.browser("app.test"), s.browser("app.test")
	a, c := short.begin("app.test", "/deep?x=1"), long.begin("app.test", link)
	second := half.tryForm(half.begin("app.test", "/second?y=2").login, f.name,
		f.password).want(http.StatusSeeOther).header.Get("Location")
	token := s.login("app.test", "pia", piaPassword)

	flood()

	for login, v := range map[string]*visitor{a.login: short, c.login: long} {
		last, where := v.follow(v.tryForm(login, "pia", piaPassword).want(http.StatusSeeOther))
		want := "/deep?x=1"
		if v == long {
			want = link
		}
		if last.status != http.StatusOK || !strings.HasSuffix(where, want) {
			s.t.Errorf("a sign-in that was begun before the flood ends with %d at %.200s", last.status, where)
		}
	}
	_, id, _ := strings.Cut(second, "?r=")
	last, where := half.follow(half.form("mfa", "method", "totp", "code", f.code(), "return",
		id).want(http.StatusSeeOther))
	if last.status != http.StatusOK || !strings.HasSuffix(where, "/second?y=2") {
		s.t.Errorf("a second step that was due before the flood ends with %d at %s", last.status, where)
	}
	s.bare("app.test").do(http.MethodPost, "/.truxe/api/v1/revoke", values("token", token.Access),
		sendsForm).want(http.StatusOK)
	s.withBearer("app.test", token.Access).get("/", program).want(http.StatusUnauthorized)
}

// ED-08 three thousand anonymous navigations push no open sign-in out of memory.
func TestFloodOfNavigationsEndsNoSignIn(t *testing.T) {
	s := tell(t, plot{options: "\t\trate_limit login 1000 5m\n\t\trate_limit address 10000 5m",
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	s.survives(func() { s.flood("app.test", 3000) })
}

// ED-08 nor do they fill a small Redis that evicts nothing: they leave no key there, and a revocation is acknowledged.
func TestFloodOfNavigationsLeavesNothingInRedis(t *testing.T) {
	redis, pg := rig.Redis(t, "--maxmemory", "48mb", "--maxmemory-policy", "noeviction"), rig.Postgres(t)
	s := tell(t, plot{
		options: "\t\tstorage postgres {env.TRUXE_DATABASE}\n\t\tredis {env.TRUXE_REDIS}\n\t\tencryption_key {env.TRUXE_ENCRYPTION_KEY}\n\t\trate_limit login 1000 5m\n\t\trate_limit address 10000 5m",
		sites:   site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
		env: []string{"TRUXE_DATABASE=" + pg.Database(t), "TRUXE_REDIS=" + redis.URL(),
			"TRUXE_ENCRYPTION_KEY=rTzGdrk8pYIRcQ9mbgYDXkxrTsFdm5dC0u5f8lQ0b1s="},
	})
	s.survives(func() {
		before, _ := strconv.Atoi(redis.Do("DBSIZE"))
		s.flood("app.test", 3000)
		if after, err := strconv.Atoi(redis.Do("DBSIZE")); err != nil || after > before+4 {
			t.Errorf("%d keys after the flood, %d before (%v)", after, before, err)
		}
	})
}
