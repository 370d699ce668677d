package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

var plenty = store.MailLimit{Most: 20, In: time.Hour}

func (b *bench) mail(user identity.ID, kind string, at time.Time) store.Mail {
	return store.Mail{ID: identity.NewID(), UserID: user, Kind: kind, To: "ada@example.com", Facts: `{"account":"ada"}`,
		Created: at, Due: at}
}

func (b *bench) queue(m store.Mail, limit store.MailLimit, want bool) {
	b.Helper()
	kept, err := b.AddMail(b.ctx, m, limit)
	b.must(err)
	if kept != want {
		b.Errorf("%s was queued: %v", m.Kind, kept)
	}
}

// mails: a notice stands with its change or not at all, one of many nodes sends it, and after kill -9 another does.
func mails(t *testing.T, b *bench) {
	u := b.user("ada")
	lease := now.Add(3 * time.Minute)
	if _, ok, err := b.ClaimMail(b.ctx, now, lease); ok || err != nil {
		t.Fatal("claimed from an empty queue", err)
	}
	if _, ok, err := b.NextMail(b.ctx); ok || err != nil {
		t.Fatal("an empty queue has a next mail", err)
	}
	m := b.mail(u.ID, "password_changed", now)
	b.wants(b.Tx(b.ctx, func(tx *store.Tx) error { // the change that it tells of did not happen
		if _, err := tx.AddMail(b.ctx, m, plenty); err != nil {
			return err
		}
		return store.ErrInvalid
	}), store.ErrInvalid)
	if _, ok, _ := b.NextMail(b.ctx); ok {
		t.Error("a mail of a change that did not happen waits")
	}
	b.queue(m, plenty, true)
	due, ok, err := b.NextMail(b.ctx)
	if err != nil || !ok || !same(due, now) {
		t.Errorf("next mail %v %v %v", due, ok, err)
	}
	if _, ok, _ := b.ClaimMail(b.ctx, now.Add(-time.Millisecond), lease); ok {
		t.Error("claimed before it was due")
	}
	var got store.Mail
	if won := b.race(func(int) (bool, error) {
		claimed, ok, err := b.ClaimMail(b.ctx, now, lease)
		if ok {
			got = claimed // of one winner only
		}
		return ok, err
	}); won != 1 {
		t.Fatalf("%d nodes claimed one mail", won)
	}
	m.Due, m.Tries = lease, 1
	if diff := cmp.Diff(m, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	again, ok, err := b.ClaimMail(b.ctx, lease, lease.Add(time.Minute)) // nothing was heard of the first claim
	if err != nil || !ok || again.Tries != 2 {
		t.Fatalf("%+v %v %v", again, ok, err)
	}
	for name, late := range map[string]func() (bool, error){
		"ends":     func() (bool, error) { return b.EndMail(b.ctx, got, "sent", now) },
		"puts off": func() (bool, error) { return b.RetryMail(b.ctx, got, now) },
	} {
		if ok, err := late(); ok || err != nil {
			t.Errorf("a lost claim %s the mail: %v", name, err)
		}
	}
	if ok, err := b.RetryMail(b.ctx, again, lease.Add(time.Hour)); !ok || err != nil {
		t.Error("not put off", err)
	}
	last, ok, err := b.ClaimMail(b.ctx, lease.Add(time.Hour), lease.Add(2*time.Hour))
	if err != nil || !ok || last.Tries != 3 {
		t.Fatalf("%+v %v %v", last, ok, err)
	}
	if ok, err := b.EndMail(b.ctx, last, "sent", now); !ok || err != nil {
		t.Error("not ended", err)
	}
	if _, ok, _ := b.ClaimMail(b.ctx, now.Add(1000*time.Hour), now.Add(1001*time.Hour)); ok {
		t.Error("sent again")
	}
	b.mailLimits()
}

// mailLimits: no mailbox is filled, and one user's limit is not another's.
func (b *bench) mailLimits() {
	u, other := b.user("bob"), b.user("eve")
	for i := range 25 {
		b.queue(b.mail(u.ID, "new_browser", now.Add(time.Duration(i)*time.Second)), plenty, i < 20)
	}
	b.queue(b.mail(other.ID, "new_browser", now), plenty, true)
	b.queue(b.mail(u.ID, "new_browser", now.Add(time.Hour)), plenty, true)
	quiet := store.MailLimit{Most: 20, In: time.Hour, Quiet: 24 * time.Hour}
	b.queue(b.mail(other.ID, "locked", now), quiet, true)
	b.queue(b.mail(other.ID, "locked", now.Add(23*time.Hour)), quiet, false)
	b.queue(b.mail(other.ID, "password_changed", now.Add(23*time.Hour)), quiet, true)
	b.queue(b.mail(other.ID, "locked", now.Add(24*time.Hour)), quiet, true)
	_, err := b.AddMail(b.ctx, b.mail(identity.NewID(), "locked", now), quiet)
	b.wants(err, store.ErrNotFound)
	broken := b.mail(other.ID, "locked", now)
	broken.To = "a\x00@example.com"
	_, err = b.AddMail(b.ctx, broken, quiet)
	b.wants(err, store.ErrInvalid)
	long := b.mail(other.ID, "long", now)
	long.Facts = `{"account":"` + strings.Repeat("é\u202e", 4000) + `"}`
	b.queue(long, plenty, true)
	b.must(b.DeleteUser(b.ctx, u.ID))
	b.must(b.DeleteUser(b.ctx, other.ID))
	if m, ok, _ := b.NextMail(b.ctx); ok {
		b.Errorf("mails of deleted users wait: %v", m)
	}
}

// oldMails adds two mails that are no longer needed at a time, and two that are.
func (b *bench) oldMails(user identity.ID, at time.Time) {
	b.Helper()
	for _, ended := range []time.Time{at.Add(-24 * time.Hour), at.Add(-23 * time.Hour)} {
		b.queue(b.mail(user, "sent", ended), plenty, true)
		m, _, err := b.ClaimMail(b.ctx, ended, at)
		b.must(err)
		_, err = b.EndMail(b.ctx, m, "sent", ended)
		b.must(err)
	}
	for _, due := range []time.Time{at.Add(-7 * 24 * time.Hour), at.Add(-6 * 24 * time.Hour)} {
		b.queue(b.mail(user, "unsent", due), plenty, true)
	}
}
