package test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// strictOptions change how all users sign in.
func strictOptions(t *testing.T, plain *story) []optionRow {
	s := tell(t,
		plot{options: "\t\tportal auth.test\n\t\tpath /.gate\n\t\tmfa required\n\t\trate_limit login 2 1h\n\t\trate_limit address 5 1h\n\t\tpassword {\n\t\t\thash argon2id\n\t\t}",
			sites: site("auth.test", "\ttruxe portal") + site("bare.test", "\ttruxe\n\treverse_proxy UPSTREAM")})
	login := func(s *story, name, password string) string {
		host, base := "auth.test", "/.gate"
		if s == plain {
			host, base = "bare.test", "/.truxe"
		}
		return s.bare(host).look(http.MethodPost, base+"/api/v1/login",
			fmt.Sprintf(`{"username":%q,"password":%q}`, name, password), sendsJSON)
	}
	both := func(see func(s *story) string) (with, without func() string) {
		return func() string { return see(s) }, func() string { return see(plain) }
	}
	row := func(id, want string, see func(s *story) string) optionRow {
		with, without := both(see)
		return optionRow{id: "global " + id, with: with, without: without, want: want}
	}
	navigated := func(s *story) string { return s.bare("bare.test").look(http.MethodGet, "/", "", navigate) }
	signedIn := func(s *story) string { return login(s, "pia", piaPassword) }
	optional := row("mfa optional", `"authenticated"`, signedIn)
	optional.with, optional.without = optional.without, optional.with // the plain gateway says so
	return []optionRow{
		row("portal", `\nLocation: https://auth.test[^/]*/`, navigated),
		row("path", `\nLocation: [^\n]*/.gate/login`, navigated),
		row("mfa required", `"mfa_required"`, signedIn),
		optional,
		row("password hash argon2id", `argon2id`,
			func(s *story) string { return hashes(filepath.Join(s.g.DataDir(), "truxe", "truxe.db")) }),
		row("rate_limit login", `429.*"limits":\[[^\]]*"login"`, func(s *story) string {
			for range 2 {
				login(s, "root", "wrong")
			}
			return login(s, "root", "wrong")
		}),
		row("rate_limit address", `429.*"limits":\[[^\]]*"address"`, func(s *story) string {
			for i := range 5 {
				login(s, fmt.Sprintf("nobody%d", i), "wrong")
			}
			return login(s, "nobody", "wrong")
		}),
	}
}

// policyOptions need policy files, short sessions, or another proxy in front.
func policyOptions(t *testing.T, plain *story) []optionRow {
	verify := ""
	for _, from := range []string{"", "nginx", "traefik", "caddy", "haproxy", "envoy"} {
		line := ""
		if from != "" {
			line = "\n\t\tfrom " + from
		}
		verify += site("verify"+from+".test", "\ttruxe forward_auth {\n\t\thosts app1.test"+line+"\n\t}")
	}
	s := tell(t, plot{global: "\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}\n",
		options: "\t\tpolicies POLICIES\n\t\tsession {\n\t\t\tidle 2s\n\t\t}",
		policies: []string{"closed.yaml",
			"roles:\n  member: { permissions: [\"orders:read\"] }\nrules:\n  - { id: closed, effect: allow, hosts: [nowhere.test], to: { role: member } }\n", "open.yaml", "networks:\n  office: [10.0.0.0/8]\n"},
		sites: verify + site("bare.test", "\ttruxe\n\treverse_proxy UPSTREAM") +
			site("open.test", "\ttruxe {\n\t\tpolicy open\n\t}\n\treverse_proxy UPSTREAM") +
			site("passive.test", "\ttruxe {\n\t\tpolicy open\n\t\tpassive /poll/*\n\t}\n\treverse_proxy UPSTREAM")})
	bearer := func(s *story, host string) func() string {
		return func() string {
			return s.withBearer(host, s.login("bare.test", "pia", piaPassword).Access).look(http.MethodGet, "/", "", program)
		}
	}
	// polled asks every half second for longer than a session may be idle, then once more
	polled := func(s *story, host, path string, times int) func() string {
		return func() string {
			v := s.browser(host)
			v.signIn("pia", piaPassword)
			for range times {
				time.Sleep(500 * time.Millisecond)
				v.get(path, program)
			}
			time.Sleep(time.Second)
			return v.look(http.MethodGet, "/", "", program)
		}
	}
	unused := func(s *story, host string) func() string {
		return func() string {
			v := s.browser(host)
			v.signIn("pia", piaPassword)
			time.Sleep(2200 * time.Millisecond)
			return v.look(http.MethodGet, "/", "", program)
		}
	}
	// described asks about a request to a host that is described in both ways: one of them could be a visitor's
	described := func(from, host string) func() string {
		return func() string {
			return s.bare("verify"+from+".test").look(http.MethodGet, "/.truxe/forward-auth", "", program,
				[]string{"X-Forwarded-Method", "GET", "X-Forwarded-Proto", "https", "X-Forwarded-Host", host,
					"X-Forwarded-Uri", "/x", "X-Forwarded-For", "203.0.113.7", "X-Original-Method", "GET", "X-Original-Url",
					"https://" + host + "/x"})
		}
	}
	rows := []optionRow{{id: "site hosts", with: described("nginx", "app1.test"), without: described("nginx", "app2.test"),
		want: `^403.*no_rule`}}
	for _, from := range []string{"nginx", "traefik", "caddy", "haproxy", "envoy"} {
		rows = append(rows, optionRow{id: "site from " + from, with: described(from, "app1.test"),
			without: described("", "app1.test"), want: `^403.*no_rule`})
	}
	return append(rows, []optionRow{
		{id: "global policies", with: bearer(s, "bare.test"), without: bearer(plain, "bare.test"), want: `^403.*no_rule`},
		{id: "site policy", with: bearer(s, "open.test"), without: bearer(s, "bare.test"), want: `^200`},
		{id: "global session idle", with: unused(s, "open.test"), without: unused(plain, "bare.test"), want: `^401`},
		{id: "site passive", with: polled(s, "passive.test", "/poll/x", 3), without: polled(s, "open.test", "/poll/x", 3),
			want: `^401`},
	}...)
}

// nodeOptions are those of many nodes, and the audit log's behaviour in trouble.
func nodeOptions(t *testing.T, plain *story) []optionRow {
	redis, postgres := rig.Redis(t), rig.Postgres(t)
	line := rig.Proxy(t, redis.Addr())
	p := plot{options: "\t\tstorage postgres {env.TRUXE_DSN}\n\t\tencryption_key {env.TRUXE_ENCRYPTION_KEY}\n\t\tredis redis://" + line.Addr() + "/0 {\n\t\t\tprefix own:\n\t\t\ton_loss deny\n\t\t}",
		env:   []string{"TRUXE_ENCRYPTION_KEY=" + freshKey(), "TRUXE_DSN=" + postgres.Database(t)},
		sites: site("bare.test", "\ttruxe\n\treverse_proxy UPSTREAM")}
	s := tell(t, p)
	bearer := s.login("bare.test", "pia", piaPassword).Access
	files := func(s *story) func() string {
		return func() string {
			found, _ := filepath.Glob(filepath.Join(s.g.DataDir(), "truxe", "*.db"))
			return fmt.Sprint(len(found), " databases")
		}
	}
	keys := func(pattern string) func() string {
		return func() string { return redis.Do("KEYS", pattern) }
	}
	nothing := func() string { return "" }
	// cut is what the gateway answers some seconds after Redis is lost
	cut := func() string {
		line.Drop()
		defer line.Heal()
		v := s.withBearer("bare.test", bearer)
		v.outage = true
		for range 12 {
			if got := v.look(http.MethodGet, "/", "", program); strings.HasPrefix(got, "503") {
				return got
			}
			time.Sleep(500 * time.Millisecond)
		}
		return v.look(http.MethodGet, "/", "", program)
	}
	stale := func() string {
		p := p
		p.options = strings.Replace(p.options, "on_loss deny", "on_loss stale 1h", 1)
		if err := s.g.Reload(s.caddyfile(p)); err != nil {
			return err.Error()
		}
		rig.WaitFor(t, 10*time.Second, "Redis is heard again", func() bool {
			return s.withBearer("bare.test", bearer).get("/", program).status == http.StatusOK
		})
		return cut()
	}
	lost := ""
	deny := func() string {
		if lost == "" {
			lost = cut()
		}
		return lost
	}
	kept := ""
	keep := func() string {
		if kept == "" {
			kept = stale()
		}
		return kept
	}
	// a FIFO that nothing reads takes no line
	trouble := func(onFailure string) func() string {
		return func() string {
			fifo := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				return err.Error()
			}
			g := rig.Gateway(t, rig.Options{NoWait: true, Env: []string{"TRUXE_ADMIN_USERNAME=root",
				"TRUXE_ADMIN_EMAIL=root@example.com", "TRUXE_ADMIN_PASSWORD=" + adminPassword},
				Caddyfile: "{\n\ttruxe {\n\t\tpassword {\n\t\t\thash bcrypt 10\n\t\t}\n\t\taudit {\n\t\t\tfile " + fifo +
					"\n\t\t\ton_failure " + onFailure + "\n\t\t}\n\t}\n}\nbare.test {\n\ttruxe\n}\n"})
			return g.WaitLog(`serving initial configuration|loading initial config[^\n]*`)[0]
		}
	}
	return []optionRow{
		{id: "global storage postgres", with: files(s), without: files(plain), want: `^0 databases`},
		{id: "global redis", with: keys("own:*"), without: nothing, want: `own:`},
		{id: "global redis prefix", with: keys("own:*"), without: keys("truxe:*"), want: `own:epoch`},
		{id: "global redis on_loss deny", with: deny, without: keep, want: `^503`},
		{id: "global redis on_loss stale", with: keep, without: deny, want: `^200`},
		{id: "global audit on_failure deny", with: trouble("deny"), without: trouble("continue"),
			want: `loading initial config`},
		{id: "global audit on_failure continue", with: trouble("continue"), without: trouble("deny"),
			want: `serving initial configuration`},
	}
}
