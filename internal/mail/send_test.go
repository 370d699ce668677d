package mail_test

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	ours "github.com/truxeio/caddy-truxe/internal/mail"
	"github.com/truxeio/caddy-truxe/internal/mail/mailtest"
	"github.com/truxeio/caddy-truxe/test/timebound"
)

const secret = "p@ss/wörd?#%: \"x\""

func settings(t *testing.T, url string) *ours.Settings {
	t.Helper()
	s, err := ours.Parse(url, "Bäcker & Söhne <no-reply@example.com>")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var message = ours.Message{ID: "0123", To: "pia@example.com", Subject: "Your Bäcker & Söhne password was changed",
	Text: "Grüße\n.\nA line that begins with a dot\n" + strings.Repeat("long ", 400) + "\n", HTML: "<p>Grüße</p>"}

var at = time.Date(2026, 11, 25, 8, 5, 7, 0, time.UTC)

// MF-11 OP-01 a mail arrives as it was written, over STARTTLS, TLS, or plain text within this machine, with and without
// a password.
func TestMailArrivesAsItWasWritten(t *testing.T) {
	for _, o := range []mailtest.Options{{}, {Username: "user", Password: secret},
		{TLS: "starttls", Username: "user", Password: secret},
		{TLS: "implicit", Username: "user", Password: secret}, {TLS: "starttls"}} {
		t.Run(o.TLS+o.Username, func(t *testing.T) {
			server := mailtest.Start(t, o)
			if err := settings(t, server.URL()).Send(context.Background(), message, at); err != nil {
				t.Fatal(err)
			}
			inbox := server.Inbox()
			if len(inbox) != 1 {
				t.Fatalf("%d mails", len(inbox))
			}
			m := inbox[0]
			from, err := m.Header.AddressList("From")
			if err != nil || len(from) != 1 || *from[0] != (mail.Address{Name: "Bäcker & Söhne",
				Address: "no-reply@example.com"}) {
				t.Errorf("from %v %v", from, err)
			}
			date, err := m.Header.Date()
			if err != nil || !date.Equal(at) {
				t.Errorf("date %v %v", date, err)
			}
			if m.Subject != message.Subject || m.Text != message.Text || m.HTML != message.HTML ||
				m.Header.Get("Message-ID") != "<0123@example.com>" ||
				m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("To") != "<pia@example.com>" ||
				m.EnvelopeFrom != "no-reply@example.com" ||
				strings.Join(m.EnvelopeTo, " ") != "pia@example.com" {
				t.Errorf("%+v", m)
			}
			if m.Secure != (o.TLS != "") || m.User != o.Username {
				t.Errorf("secure %v user %q", m.Secure, m.User)
			}
			for line := range strings.Lines(m.Raw) {
				if len(line) > 80 {
					t.Errorf("a line of %d bytes: %q", len(line), line)
				}
			}
		})
	}
}

// OP-01 AU-07 nothing is sent to a server that cannot prove its name, offers no encryption where it must, or refuses
// the password; and no error repeats the password, even when the server does.
func TestMailGoesToNoOtherAddress(t *testing.T) {
	plain := mailtest.Start(t, mailtest.Options{})
	secure := mailtest.Start(t, mailtest.Options{TLS: "starttls", Username: "user", Password: secret})
	implicit := mailtest.Start(t, mailtest.Options{TLS: "implicit"})
	gone := mailtest.Start(t, mailtest.Options{})
	gone.Down()
	for name, c := range map[string]struct{ url, want string }{
		"no STARTTLS":    {"smtp://" + plain.Addr() + "?tls=true", "STARTTLS"},
		"unknown CA":     {"smtp://" + secure.Addr() + "?tls=true", "certificate"},
		"another name":   {secure.URL() + "&server_name=other.example.org", "other.example.org"},
		"unknown CA TLS": {"smtps://" + implicit.Addr(), "certificate"},
		"wrong password": {strings.Replace(secure.URL(), "user:", "user:hunter2", 1),
			"refused the user name or password (535)"},
		"no password":   {"smtp://" + secure.Addr() + "?ca_file=" + secure.CAFile, "502"},
		"nothing there": {gone.URL(), "refused"},
	} {
		var failure *ours.Failure
		err := settings(t, c.url).Send(context.Background(), message, at)
		if !errors.As(err, &failure) || failure.Final || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if text := fmt.Sprint(err); strings.Contains(text, secret) || strings.Contains(text, "hunter2") ||
			strings.Contains(text, "pia@") || strings.ContainsAny(text, "\r\n") || len(text) > 400 {
			t.Errorf("%s: the error says %q", name, text)
		}
	}
	for _, s := range []*mailtest.Server{plain, secure, implicit} {
		if len(s.Inbox()) != 0 {
			t.Error("a mail arrived")
		}
	}
}

// CS-11 a recipient or subject with a line end is no second header, and no second recipient.
func TestNoHeaderCanBeAddedToAMail(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{})
	s := settings(t, server.URL())
	for _, to := range []string{"pia@example.com\r\nBcc: eve@example.com", "pia@example.com, eve@example.com",
		"Pia <pia@example.com>", "pia@example.com>\r\nRCPT TO:<eve@example.com",
		"", "pia", "pia@a@b", "\u202epia@example.com", "pia@example.com\x00"} {
		m := message
		m.To = to
		var failure *ours.Failure
		if err := s.Send(context.Background(), m, at); !errors.As(err, &failure) || !failure.Final {
			t.Errorf("%q: %v", to, err)
		}
	}
	if len(server.Inbox()) != 0 || server.Sessions() != 0 {
		t.Fatal("a mail arrived")
	}
	m := message
	m.Subject = "Hello\r\nBcc: eve@example.com\r\n\r\n<html>" + "\u202e"
	if err := s.Send(context.Background(), m, at); err != nil {
		t.Fatal(err)
	}
	got := server.Inbox()[0]
	if got.Header.Get("Bcc") != "" || got.Subject != "Hello Bcc: eve@example.com <html>" || len(got.EnvelopeTo) != 1 {
		t.Errorf("%+v", got.Header)
	}
}

// An address that does not exist is not tried for a day; everything else may be better tomorrow.
func TestUnknownRecipientIsFinal(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{})
	for code, final := range map[smtp.SMTPError]bool{
		{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user pia@example.com"}: true,
		{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "relay denied"}:                 false,
		{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 1, 1}, Message: "greylisted"}:                   false,
		{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 2, 2}, Message: "mailbox full"}:                 false,
	} {
		server.Refuse(func(string) error { return &code })
		var failure *ours.Failure
		err := settings(t, server.URL()).Send(context.Background(), message, at)
		if !errors.As(err, &failure) || failure.Final != final || !strings.Contains(err.Error(), fmt.Sprint(code.Code)) ||
			strings.Contains(err.Error(), "pia@") {
			t.Errorf("%d %v: %v", code.Code, code.EnhancedCode, err)
		}
	}
}

// FAULTS 26: a server that takes the connection and says nothing holds the sender no longer than its limit, and not at
// all when the gateway ends.
func TestSilentServerBlocksNoCaller(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{Slow: true})
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := settings(t, server.URL()).Send(ctx, message, at)
	if err == nil {
		t.Error("a silent server took the mail")
	}
	timebound.Check(t, "giving up on a silent server", time.Since(start), 3*time.Second)
}
