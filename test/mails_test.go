package test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/mail/mailtest"
	"github.com/truxeio/caddy-truxe/test/rig"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

// mailPassword has what has a meaning in URLs.
const mailPassword = "hunter2/s@cret?#%"

// postOffice is a mail server that asks for TLS and a password, and the plot of a gateway that knows it.
func postOffice(t *testing.T) (*mailtest.Server, plot) {
	t.Helper()
	server := mailtest.Start(t, mailtest.Options{TLS: "starttls", Username: "shop", Password: mailPassword,
		Port: rig.Port(t)})
	file := filepath.Join(t.TempDir(), "mail-url")
	if err := os.WriteFile(file, []byte(server.URL()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return server, plot{
		options: "\t\tsmtp {file." + file +
			"} {\n\t\t\tfrom \"Example <no-reply@example.com>\"\n\t\t}\n\t\tbrand {\n\t\t\tname Example\n\t\t\tsupport help@example.com\n\t\t}",
		sites: site("app.test", "\ttruxe\n\treverse_proxy UPSTREAM"),
	}
}

// arrive waits until so many mails with a subject have come, and gives the last one.
func arrive(t *testing.T, server *mailtest.Server, subject string, count int) mailtest.Mail {
	t.Helper()
	var found []mailtest.Mail
	rig.WaitFor(t, 40*time.Second, "mail: "+subject, func() bool {
		found = nil
		for _, m := range server.Inbox() {
			if m.Subject == subject {
				found = append(found, m)
			}
		}
		return len(found) >= count
	})
	if len(found) != count {
		t.Errorf("%d mails: %s", len(found), subject)
	}
	return found[count-1]
}

func (v *visitor) newPassword(from, to string) {
	v.s.t.Helper()
	v.api(http.MethodPost, "password/change", map[string]string{"current_password": from, "new_password": to}, fetch,
		[]string{"Origin", "https://" + v.host}).want(http.StatusNoContent)
}

const (
	subjectNew      = "New sign-in to your Example account"
	subjectPassword = "Your Example password was changed"
)

// MF-11 PW-10 CS-08 AU-07: a user who changes their password over HTTP, and signs in from a new browser, is notified by
// a mail over TLS that links to our own host; whatever Host or X-Forwarded-Host they sent. The password of the mail
// server is nowhere.
func TestPeopleAreToldByMail(t *testing.T) {
	server, p := postOffice(t)
	s := tell(t, p)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword).want(http.StatusOK)
	m := arrive(t, server, subjectNew, 1)
	origin := s.origin("app.test")
	if !m.Secure || m.User != "shop" || strings.Join(m.EnvelopeTo, " ") != "pia@example.com" ||
		m.EnvelopeFrom != "no-reply@example.com" {
		t.Errorf("%v %q to %v from %s", m.Secure, m.User, m.EnvelopeTo, m.EnvelopeFrom)
	}
	for _, part := range []string{"Account:  pia\n", " UTC\n", "Address:  127.0.0.1\n", "Site:     app.test\n",
		"\n" + origin + "/.truxe/account/sessions\n", "Help: help@example.com"} {
		if !strings.Contains(m.Text, part) {
			t.Errorf("%q is missing in\n%s", part, m.Text)
		}
	}
	pia.api(http.MethodPost, "password/change", map[string]string{"current_password": piaPassword,
		"new_password": "copper kettles sing at dawn"}, fetch,
		[]string{"Origin", "https://app.test", "X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example",
			"User-Agent", "<img src=//evil.example/x>\x80 Firefox/140.0 (Windows"}).want(http.StatusNoContent)
	m = arrive(t, server, subjectPassword, 1)
	if strings.Contains(m.Raw, "evil.example") || !strings.Contains(m.Text, "Browser:  Firefox on Windows\n") ||
		!strings.Contains(m.HTML, `href="`+origin+`/.truxe/account/activity"`) {
		t.Errorf("%s\n%s", m.Text, m.HTML)
	}
	// its browser was forgotten with the password
	pia.tryForm("/.truxe/login?switch=1", "pia", "copper kettles sing at dawn").want(http.StatusSeeOther)
	arrive(t, server, subjectNew, 2)

	adapted, complaints, _ := s.g.Run("adapt", "--config", filepath.Join(s.g.Dir, "Caddyfile"), "--adapter", "caddyfile")
	_, config := s.g.Admin(http.MethodGet, "/config/", nil)
	autosave, err := os.ReadFile(filepath.Join(s.g.Dir, "home", "config", "caddy", "autosave.json"))
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"log": s.g.Log(), "adapt": adapted + complaints, "config": string(config),
		"autosave": string(autosave)} {
		if strings.Contains(text, "hunter2") || where == "log" && strings.Contains(text, "pia@example.com") {
			t.Errorf("%s shows the password or an address", where)
		}
	}
	if !strings.Contains(adapted, "mail-url") || !strings.Contains(s.g.Log(), "a security notice was sent") {
		t.Error("control: adapt or log is not what was looked at")
	}
}

// FAULTS 18 26 35 R11: the mail server is down and the gateway is killed; the change was made at once, a wrong password
// of the mail server is not in the log, and when all is back each notice arrives once. A reload in between keeps the
// queue.
func TestNoticesSurviveTheMailServerAndTheGateway(t *testing.T) {
	server, p := postOffice(t)
	server.Down()
	s := tell(t, p)
	pia := s.browser("app.test")
	pia.signIn("pia", piaPassword)
	start := time.Now()
	pia.newPassword(piaPassword, "copper kettles sing at dawn")
	timebound.Check(t, "the change", time.Since(start), 2*time.Second)
	s.g.WaitLog("could not be sent")
	time.Sleep(500 * time.Millisecond) // both were tried, and are not tried again within a second
	s.g.Kill9()
	s.g.Start()
	if err := s.g.Reload(s.caddyfile(p)); err != nil {
		t.Fatal(err)
	}
	if len(server.Inbox()) != 0 {
		t.Fatal("control: a mail arrived at a server that is down")
	}
	server.Up()
	arrive(t, server, subjectPassword, 1)
	arrive(t, server, subjectNew, 1)
	time.Sleep(500 * time.Millisecond)
	if n := len(server.Inbox()); n != 2 {
		t.Errorf("%d mails", n)
	}
	if strings.Contains(s.g.Log(), "hunter2") {
		t.Error("the log shows the password")
	}
}

// R5: of two nodes on one PostgreSQL and one Redis one sends each notice.
func TestTwoNodesSendOneMail(t *testing.T) {
	server, p := postOffice(t)
	n := twoNodes(t, "\n"+p.options)
	var told int
	for round, s := range []*story{n.one, n.two, n.one, n.two} {
		s.browser("app.test").signIn("pia", piaPassword)
		told = round + 1
		arrive(t, server, subjectNew, told)
	}
	time.Sleep(time.Second)
	if got := len(server.Inbox()); got != told {
		t.Errorf("%d mails of %d sign-ins", got, told)
	}
	one, two := strings.Count(n.one.g.Log(), "a security notice was sent"), strings.Count(n.two.g.Log(),
		"a security notice was sent")
	if one+two != told {
		t.Errorf("sent %d and %d", one, two)
	}
}

// AU-07 `caddy validate` finds a wrong mail server without calling it, and says nothing of its password.
func TestWrongMailServerIsFoundWithoutCallingIt(t *testing.T) {
	file := func(url, from string) string {
		return "{\n\ttruxe {\n\t\tsmtp " + url + " {\n\t\t\tfrom \"" + from + "\"\n\t\t}\n\t}\n}\nlocalhost {\n\ttruxe\n}\n"
	}
	const sender = "Example <no-reply@example.com>"
	for name, c := range map[string]struct{ url, from, env, want string }{
		"scheme":   {"{env.MAIL}", sender, "http://u:hunter2@h", "smtp://"},
		"host":     {"{env.MAIL}", sender, "smtp://u:hunter2@", "host"},
		"port":     {"smtp://h:x", sender, "", "port"},
		"sender":   {"smtp://h", "Example", "", "from"},
		"insecure": {"{env.MAIL}", sender, "smtp://u:hunter2@h?insecure=true", "unknown parameter"},
	} {
		out, code, _ := rig.Validate(t, file(c.url, c.from), "MAIL="+c.env)
		if code == 0 || !strings.Contains(out, c.want) || strings.Contains(out, "hunter2") {
			t.Errorf("%s: exit %d: %s", name, code, out)
		}
	}
	if out, code, _ := rig.Validate(t, file("{env.MAIL}", sender), "MAIL=smtp://u:hunter2@127.0.0.1:1"); code != 0 ||
		strings.Contains(out, "hunter2") {
		t.Errorf("control: exit %d: %s", code, out)
	}
}
