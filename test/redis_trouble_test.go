package test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// documentedACL is the user that docs/how-to/two-nodes.md shows.
func documentedACL(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(rig.Root(), "docs", "how-to", "two-nodes.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^user truxe on >\S+ (.*)$`).FindSubmatch(raw)
	if m == nil {
		t.Fatal("docs/how-to/two-nodes.md has no line `user truxe on >…`")
	}
	return string(m[1])
}

var redisPlot = plot{options: "\t\tredis {env.TRUXE_REDIS} {\n\t\t\ton_loss stale 3s\n\t\t}",
	sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM")}

// ED-25 FIELD 47 ED-22: a wrong password, a database that is not there and an ACL without a command are said as that,
// in the log, once however long they last, without any part of the password; the node is not ready meanwhile.
func TestTroubleWithRedisIsSaidAsWhatItIs(t *testing.T) {
	acl := strings.Replace(documentedACL(t), " +time", "", 1)
	if acl == documentedACL(t) {
		t.Fatal("the documented user has no +time")
	}
	for name, c := range map[string]struct {
		args []string
		url  string
		says string
	}{
		"a wrong password":     {[]string{"--requirepass", "right"}, "redis://:Zq7xVkWp@ADDR/0", `WRONGPASS`},
		"no password":          {[]string{"--requirepass", "right"}, "redis://ADDR/0", `NOAUTH`},
		"a database not there": {nil, "redis://ADDR/99", `DB index is out of range`},
		"an ACL without TIME": {append([]string{"--user", "truxe", "on", ">Zq7xVkWp"}, strings.Fields(acl)...),
			"redis://truxe:Zq7xVkWp@ADDR/0", `NOPERM.*time`},
		"an ACL of another name": {[]string{"--user", "truxe", "on", ">Zq7xVkWp", "~other:*", "+@all"},
			"redis://truxe:Zq7xVkWp@ADDR/0", `NOPERM`},
	} {
		t.Run(name, func(t *testing.T) {
			redis := rig.Redis(t, c.args...)
			p := redisPlot
			p.env = []string{"TRUXE_REDIS=" + strings.Replace(c.url, "ADDR", redis.Addr(), 1)}
			s := &story{t: t, up: rig.Echo(t)}
			s.g = rig.Gateway(t, rig.Options{Caddyfile: s.caddyfile(p), Env: append([]string{ownKeyEnv()}, p.env...)})
			s.g.WaitLog(c.says)
			time.Sleep(2 * time.Second)
			log := s.g.Log()
			if n := len(regexp.MustCompile(`(?m)^.*"msg":"(?:feed lost|redis is in trouble)".*`+c.says).FindAllString(log,
				-1)); n < 1 || n > 2 {
				t.Errorf("said %d times", n)
			}
			if strings.Contains(log, "Zq7x") || strings.Contains(log, "VkWp") {
				t.Error("the password is in the log")
			}
			v := s.bare("app.test")
			v.outage = true
			v.get("/.truxe/health/ready", program).want(http.StatusServiceUnavailable)
		})
	}
}

// ED-25 B5: a Redis user with the commands that the page on two nodes lists, and no other, is enough for signing in,
// tickets, limits, revocations, and for filling an emptied Redis again.
func TestDocumentedACLUserIsEnough(t *testing.T) {
	redis := rig.Redis(t, append([]string{"--user", "truxe", "on", ">secret"}, strings.Fields(documentedACL(t))...)...)
	p := redisPlot
	p.env = []string{"TRUXE_REDIS=redis://truxe:secret@" + redis.Addr() + "/0"}
	s := tell(t, p)
	ready := func() {
		t.Helper()
		rig.WaitFor(t, 10*time.Second, "the node to be ready", func() bool {
			return s.bare("app.test").get("/.truxe/health/ready", program).status == http.StatusOK
		})
	}
	ready()
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword).want(http.StatusOK)
	token := s.login("app.test", "pia", piaPassword)
	s.tryLogin("pia", "not her password at all").problem(http.StatusUnauthorized, "invalid_credentials")
	s.bare("app.test").do("POST", "/.truxe/api/v1/revoke", values("token", token.Access), sendsForm).want(http.StatusOK)
	s.withBearer("app.test", token.Access).get("/", program).want(http.StatusUnauthorized)
	redis.Do("FLUSHALL")
	rig.WaitFor(t, 10*time.Second, "Redis to be filled again",
		func() bool { return strings.Contains(redis.Do("KEYS", "*"), "truxe:revoked:") })
	ready()
	redis.Do("SCRIPT", "FLUSH")
	s.login("app.test", "pia", piaPassword)
	if log := s.g.Log(); strings.Contains(log, "NOPERM") {
		t.Errorf("a command is missing: %s", regexp.MustCompile(`(?m)^.*NOPERM.*$`).FindString(log))
	}
}

// ED-25 FIELD 47: Redis on a socket of the machine.
func TestRedisOnASocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "rs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	redis := rig.Redis(t, "--unixsocket", dir+"/redis.sock")
	p := redisPlot
	p.env = []string{"TRUXE_REDIS=redis+unix://" + dir + "/redis.sock?db=1"}
	s := tell(t, p)
	s.login("app.test", "pia", piaPassword)
	if keys := redis.Do("INFO", "keyspace"); !strings.Contains(keys, "db1:") {
		t.Errorf("nothing is in database 1: %s", keys)
	}
}
