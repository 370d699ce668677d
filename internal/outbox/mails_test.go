package outbox

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/mail"
	"github.com/truxeio/caddy-truxe/internal/mail/mailtest"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
)

// The bounds of a pause, as docs/reference/limits.md has them.
const firstPause, longestPause = 2 * time.Second, time.Hour

// post is a worker with its own clock, database, log and one user.
type post struct {
	*Worker
	store *store.Store
	t     *testing.T
	at    time.Time
	user  identity.ID
	log   *bytes.Buffer
}

func newPost(t *testing.T, st *store.Store, url string) *post {
	t.Helper()
	server, err := mail.Parse(url, "Example <no-reply@example.com>")
	if err != nil {
		t.Fatal(err)
	}
	writer := mail.Writer{Brand: "Truxe", Base: "/.truxe",
		Origin: func(host string) string { return "https://" + host + ":8443" },
		Known:  func(host string) bool { return host == "app.test" }}
	p := &post{store: st, t: t, at: time.UnixMilli(1_780_000_000_000), log: new(bytes.Buffer)}
	p.Worker = NewWorker(&Mails{Store: st, Server: server, Writer: writer}, "security notice",
		slog.New(slog.NewTextHandler(p.log, nil)), func() time.Time { return p.at })
	return p
}

func onePost(t *testing.T, url string) *post {
	p := newPost(t, storetest.Open(t, storetest.Fresh(t, "sqlite")), url)
	p.user = person(t, p.store)
	return p
}

func person(t *testing.T, st *store.Store) identity.ID {
	t.Helper()
	u := store.NewUser{User: identity.User{ID: identity.NewID(), Username: "pia", Email: "pia@example.com"},
		UsernameKey: "pia", EmailKey: "pia@example.com"}
	if err := st.CreateUser(context.Background(), u); err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func (p *post) queue(kind string) {
	p.t.Helper()
	facts, err := mail.Facts{Account: "pia", At: p.at, Host: "app.test"}.Encode()
	if err != nil {
		p.t.Fatal(err)
	}
	m := store.Mail{ID: identity.NewID(), UserID: p.user, Kind: kind, To: "pia@example.com", Facts: facts, Created: p.at}
	if kept, err := p.store.AddMail(context.Background(), m, store.MailLimit{Most: 1000, In: time.Hour}); err != nil ||
		!kept {
		p.t.Fatal(kept, err)
	}
}

// step has the worker look once, and reports whether it tried a mail.
func (p *post) step() bool {
	p.t.Helper()
	tried, err := p.next(context.Background())
	if err != nil {
		p.t.Fatal(err)
	}
	return tried
}

// FAULTS 26 MF-11: a server that is down is tried again with a growing pause; when it is back the mail is sent, once,
// and leads to our own host.
func TestMailWaitsForAServerThatIsDown(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{})
	server.Down()
	p := onePost(t, server.URL())
	p.queue(mail.PasswordChanged)
	if !p.step() || p.step() {
		t.Fatal("a mail is tried once and then waits")
	}
	server.Up()
	if p.step() {
		t.Error("tried again without a pause")
	}
	p.at = p.at.Add(firstPause)
	if !p.step() || p.step() {
		t.Error("not tried again")
	}
	inbox := server.Inbox()
	if len(inbox) != 1 || !strings.Contains(inbox[0].Text, "\nhttps://app.test:8443/.truxe/account/activity\n") ||
		!strings.Contains(inbox[0].Text, "Site:     app.test\n") {
		t.Fatalf("%d mails: %+v", len(inbox), inbox)
	}
	p.at = p.at.Add(48 * time.Hour)
	if p.step() || len(server.Inbox()) != 1 {
		t.Error("sent again")
	}
	if log := p.log.String(); !strings.Contains(log, "tried again") ||
		!strings.Contains(log, "a security notice was sent") || strings.Contains(log, "pia@") {
		t.Error(log)
	}
}

// A mail is given up after a day, with a log line, and not before; an unreadable one and one for an address that does
// not exist at once.
func TestMailIsGivenUpAfterADay(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{})
	server.Down()
	p := onePost(t, server.URL())
	start, tries := p.at, 0
	p.queue(mail.PasswordChanged)
	for p.step() {
		tries++
		due, waits, err := p.store.NextMail(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !waits {
			break
		}
		if pause := due.Sub(p.at); pause < firstPause/2-time.Millisecond || pause > longestPause {
			t.Errorf("try %d: a pause of %v", tries, pause)
		}
		p.at = due
	}
	if age := p.at.Sub(start); age < giveUpAfter || age > giveUpAfter+longestPause || tries < 20 || tries > 80 {
		t.Errorf("given up after %v and %d tries", age, tries)
	}
	if log := p.log.String(); strings.Count(log, "given up") != 1 || strings.Contains(log, "@") {
		t.Error(log)
	}
	t.Logf("%d tries in %v", tries, p.at.Sub(start))
	p.queue("no_such_notice")
	if !p.step() || p.step() || strings.Count(p.log.String(), "given up") != 2 {
		t.Error("a notice that cannot be written is tried again")
	}
}

// R5: many nodes, one mail each.
func TestManyNodesSendEachMailOnce(t *testing.T) {
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		server := mailtest.Start(t, mailtest.Options{})
		first := newPost(t, storetest.Open(t, cfg), server.URL())
		first.user = person(t, first.store)
		const count = 20
		for range count {
			first.queue(mail.NewBrowser)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range 4 {
			p := newPost(t, first.store, server.URL())
			all.Go(func() { p.Run(ctx) })
		}
		for len(server.Inbox()) < count && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		cancel()
		all.Wait()
		ids := map[string]int{}
		for _, m := range server.Inbox() {
			ids[m.Header.Get("Message-ID")]++
		}
		if len(ids) != count || len(server.Inbox()) != count {
			t.Errorf("%d mails with %d ids, want %d", len(server.Inbox()), len(ids), count)
		}
	})
}

// R11 FAULTS 26 35: a gateway that ends while the mail server says nothing does not wait for it, and the mail stays.
func TestGatewayEndsWhileTheMailServerIsSilent(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{Slow: true})
	p := onePost(t, server.URL())
	p.queue(mail.Locked)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	time.Sleep(100 * time.Millisecond)
	start := time.Now()
	cancel()
	select {
	case <-ended:
	case <-time.After(2 * grace):
		t.Fatalf("still sending after %v", time.Since(start))
	}
	due, waits, err := p.store.NextMail(context.Background())
	if err != nil || !waits || due.Sub(p.at) > firstPause {
		t.Errorf("due %v after, waits %v %v", due.Sub(p.at), waits, err)
	}
}
