package gateway

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/truxeio/caddy-truxe/internal/mail"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/store"
)

const (
	// mailLease is how long a node has for one mail before another may take it over: longer than sending takes, by more
	// than clocks differ.
	mailLease = 3 * time.Minute
	// mailPoll bounds the wait for mails that another node has queued.
	mailPoll = 10 * time.Second
	// mailGrace is how long a mail that is being sent may go on when the gateway ends or is reloaded.
	mailGrace = 2 * time.Second
)

// mailer sends the notices that wait in the database. Each node has one; a claim in SQL decides which sends what.
type mailer struct {
	store  *store.Store
	server *mail.Settings
	writer mail.Writer
	log    *slog.Logger
	now    func() time.Time
	wake   chan struct{}
	failed time.Time // when a failure was logged last
}

// newMailer is nil without a mail server.
func newMailer(e *Engine, cfg Config, book *origin.Book) (*mailer, error) {
	if cfg.SMTP.URL == "" {
		return nil, nil //nolint:nilnil // none is configured
	}
	server, err := mail.Parse(cfg.SMTP.URL, cfg.SMTP.From)
	if err != nil {
		return nil, err
	}
	return &mailer{store: e.store, server: server, writer: cfg.mailWriter(book), log: cfg.Logger, now: cfg.Now, wake: make(chan struct{}, 1)}, nil
}

func (c Config) mailWriter(book *origin.Book) mail.Writer {
	known := func(host string) bool {
		_, ok := book.Main(host)
		return ok
	}
	link := func(host string) string { return c.mailOrigin(book, host) }
	return mail.Writer{Brand: c.Brand.Name, Support: c.Brand.Support, Base: c.Path, Origin: link, Known: known}
}

// mailOrigin is where the link of a mail leads: the single sign-on host, or the host that the mail is about if it is ours,
// or the first of ours (CS-08).
func (c Config) mailOrigin(book *origin.Book, host string) string {
	if c.Portal != "" {
		host = c.Portal
	}
	if o, ok := book.Main(host); ok {
		return o.String()
	}
	return c.mainOrigin()
}

// waits tells the mailer that there is something to send.
func (m *mailer) waits() {
	select {
	case m.wake <- struct{}{}:
	default: // it knows
	}
}

// run sends until ctx ends. At a reload the mailers of the old and the new configuration both run for a moment.
func (m *mailer) run(ctx context.Context) {
	for ctx.Err() == nil {
		sent, err := m.next(ctx)
		if err != nil && ctx.Err() == nil {
			m.complain("could not read the queue of security notices", err.Error())
		}
		if sent {
			continue
		}
		timer := time.NewTimer(m.pause(ctx, err))
		select {
		case <-ctx.Done():
		case <-m.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// pause is how long nothing is due, mailPoll at most.
func (m *mailer) pause(ctx context.Context, err error) time.Duration {
	if err != nil {
		return mailPoll
	}
	due, ok, err := m.store.NextMail(ctx)
	if err != nil || !ok {
		return mailPoll
	}
	return min(max(due.Sub(m.now()), 10*time.Millisecond), mailPoll)
}

// next sends one mail that is due; false when there is none.
func (m *mailer) next(ctx context.Context) (bool, error) {
	now := m.now()
	claimed, ok, err := m.store.ClaimMail(ctx, now, now.Add(mailLease))
	if err != nil || !ok {
		return false, err
	}
	failure := m.send(ctx, claimed)
	// What became of it is written down even when the gateway is ending: otherwise it is sent again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mailGrace)
	defer cancel()
	about := []any{"user", claimed.UserID.String(), "notice", claimed.Kind, "tries", claimed.Tries}
	now = m.now()
	switch {
	case failure == nil:
		_, err = m.store.EndMail(ctx, claimed, "sent", now)
		m.log.Info("a security notice was sent", about...)
	case final(failure) || now.Sub(claimed.Created) >= mail.GiveUp:
		_, err = m.store.EndMail(ctx, claimed, "given up", now)
		m.log.Error("a security notice was given up", append(about, "error", failure.Error())...)
	default:
		_, err = m.store.RetryMail(ctx, claimed, now.Add(mail.RetryPause(claimed.Tries)))
		m.complain("a security notice could not be sent; it is tried again", failure.Error(), about...)
	}
	return true, err
}

func (m *mailer) send(ctx context.Context, claimed store.Mail) error {
	message, err := m.writer.Write(claimed.Kind, claimed.Facts)
	if err != nil {
		return &mail.Failure{Reason: err.Error(), Final: true}
	}
	message.ID, message.To = claimed.ID.String(), claimed.To
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(mailGrace, cancel) })()
	return m.server.Send(within, message, m.now())
}

func final(err error) bool {
	var f *mail.Failure
	return errors.As(err, &f) && f.Final
}

// complain logs a failure, the first at once and then once a minute: a server that is down fails every mail.
func (m *mailer) complain(what, why string, about ...any) {
	if now := m.now(); now.Sub(m.failed).Abs() >= time.Minute {
		m.failed = now
		m.log.Warn(what, append(about, "error", why)...)
	}
}
