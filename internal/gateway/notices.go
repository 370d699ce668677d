package gateway

import (
	"github.com/truxeio/caddy-truxe/internal/mail"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/outbox"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// openNotices returns the worker that sends security notices; nil without a mail server.
func (c Config) openNotices(st *store.Store, book *origin.Book) (*outbox.Worker, error) {
	if c.SMTP.URL == "" {
		return nil, nil // none is configured
	}
	server, err := mail.Parse(c.SMTP.URL, c.SMTP.From)
	if err != nil {
		return nil, err
	}
	queue := &outbox.Mails{Store: st, Server: server, Writer: c.noticeWriter(book)}
	return outbox.NewWorker(queue, "security notice", c.Logger, c.Now), nil
}

func (c Config) noticeWriter(book *origin.Book) mail.Writer {
	known := func(host string) bool {
		_, ok := book.Main(host)
		return ok
	}
	link := func(host string) string { return c.noticeOrigin(book, host) }
	return mail.Writer{Brand: c.Brand.Name, Support: c.Brand.Support, Base: c.Path, Origin: link, Known: known}
}

// noticeOrigin returns where the link of a notice leads: the single sign-on host, or the host that the notice is about
// if it is ours, or the first of ours (CS-08).
func (c Config) noticeOrigin(book *origin.Book, host string) string {
	if c.Portal != "" {
		host = c.Portal
	}
	if o, ok := book.Main(host); ok {
		return o.String()
	}
	return c.mainOrigin()
}
