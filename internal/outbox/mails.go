package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/truxeio/caddy-truxe/internal/mail"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Mails is the queue of security notices. It implements Queue.
type Mails struct {
	Store  *store.Store
	Server *mail.Settings
	Writer mail.Writer
}

// Claim implements Queue.
func (q *Mails) Claim(ctx context.Context, now, until time.Time) (Entry, error) {
	claimed, ok, err := q.Store.ClaimMail(ctx, now, until)
	if err != nil || !ok {
		return nil, err
	}
	return &notice{queue: q, mail: claimed}, nil
}

// NextDue implements Queue.
func (q *Mails) NextDue(ctx context.Context) (time.Time, bool, error) { return q.Store.NextMail(ctx) }

// notice is a claimed security notice.
type notice struct {
	queue *Mails
	mail  store.Mail
}

func (n *notice) Deliver(ctx context.Context, now time.Time) error {
	message, err := n.queue.Writer.Write(n.mail.Kind, n.mail.Facts)
	if err != nil {
		return permanentError{err}
	}
	message.ID, message.To = n.mail.ID.String(), n.mail.To
	err = n.queue.Server.Send(ctx, message, now)
	var failure *mail.Failure
	if errors.As(err, &failure) && failure.Final {
		return permanentError{err}
	}
	return err
}

func (n *notice) Delivered(ctx context.Context, now time.Time) error { return n.end(ctx, "sent", now) }

func (n *notice) GiveUp(ctx context.Context, now time.Time) error { return n.end(ctx, "given up", now) }

func (n *notice) end(ctx context.Context, outcome string, now time.Time) error {
	_, err := n.queue.Store.EndMail(ctx, n.mail, outcome, now)
	return err
}

func (n *notice) Retry(ctx context.Context, due time.Time) error {
	_, err := n.queue.Store.RetryMail(ctx, n.mail, due)
	return err
}

func (n *notice) Attempts() int { return n.mail.Tries }

func (n *notice) Created() time.Time { return n.mail.Created }

func (n *notice) LogAttrs() []any {
	return []any{"user", n.mail.UserID.String(), "notice", n.mail.Kind, "tries", n.mail.Tries}
}
