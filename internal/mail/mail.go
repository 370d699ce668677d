// Package mail writes and sends security notices: short mails to the person whose account something has happened to.
// They hold facts, never a secret, and one link into the gateway's own pages. What is to be sent waits in the database
// (internal/store), not here.
package mail

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

const (
	// stepTimeout bounds a dialogue with the mail server between two of its milestones, dialling included.
	stepTimeout = 10 * time.Second
	// sendTimeout bounds the sending of one mail in all.
	sendTimeout = 30 * time.Second
)

// Message is a mail to one person, as text and as HTML.
type Message struct {
	ID         string // unique, and the same when it is sent again, so that programs see one mail
	To         string
	Subject    string
	Text, HTML string
}

// Failure is why a mail was not taken. It repeats no password and no address.
type Failure struct {
	Reason string
	// Final: this address does not exist, so that sending again is of no use.
	Final bool
}

func (f *Failure) Error() string { return f.Reason }

// Send delivers a mail to the server. An error is a *Failure.
func (s *Settings) Send(ctx context.Context, m Message, now time.Time) error {
	msg, err := s.message(m, now)
	if err != nil {
		return &Failure{Reason: err.Error(), Final: true}
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	client, err := gomail.NewClient(s.host, s.options(ctx)...)
	if err != nil {
		return &Failure{Reason: s.words(err.Error(), m.To)}
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if err == nil || msg.IsDelivered() { // taken: what the server says to QUIT changes nothing
		return nil
	}
	return s.failure(ctx, err, m.To)
}

func (s *Settings) message(m Message, now time.Time) (*gomail.Msg, error) {
	to, err := address(m.To)
	if err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&s.from)
	msg.ToMailAddress(&mail.Address{Address: to})
	msg.Subject(line(m.Subject))
	msg.SetDateWithValue(now)
	_, domain, _ := strings.Cut(s.from.Address, "@")
	msg.SetMessageIDWithValue(m.ID + "@" + domain)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no vacation responder answers it
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return msg, nil
}

func (s *Settings) options(ctx context.Context) []gomail.Option {
	policy := gomail.NoTLS
	if s.tls != nil && !s.implicit {
		policy = gomail.TLSMandatory
	}
	options := []gomail.Option{gomail.WithTimeout(stepTimeout), gomail.WithTLSPolicy(policy),
		gomail.WithDialContextFunc(s.dial(ctx))}
	if s.implicit {
		options = append(options, gomail.WithSSL())
	}
	if s.tls != nil {
		options = append(options, gomail.WithTLSConfig(s.tls.Clone()))
	}
	if s.username != "" {
		known := []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain,
			gomail.SMTPAuthLogin}
		if s.tls == nil { // within this machine, which dial makes sure of
			known = append(known[:2:2], gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc)
		}
		options = append(options, gomail.WithOpportunisticSMTPAuth(known...), gomail.WithUsername(s.username),
			gomail.WithPassword(s.password))
	}
	return options
}

var errNotLoopback = errors.New("the mail server is not on this machine, and plain text would be read on the way")

// dial connects; the connection ends with whole, whatever the server is doing then.
func (s *Settings) dial(whole context.Context) gomail.DialContextFunc {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr())
		if err != nil {
			return nil, err
		}
		context.AfterFunc(whole, func() { _ = conn.Close() })
		if s.tls == nil {
			if peer, ok := conn.RemoteAddr().(*net.TCPAddr); !ok || !peer.IP.IsLoopback() { // whatever localhost stands for here
				return nil, errors.Join(errNotLoopback, conn.Close())
			}
		}
		if !s.implicit {
			return conn, nil
		}
		secure := tls.Client(conn, s.tls.Clone())
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return secure, nil
	}
}

// failure says what went wrong in words for the log.
func (s *Settings) failure(ctx context.Context, err error, to string) error {
	var sent *gomail.SendError
	var answer *textproto.Error
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Failure{Reason: fmt.Sprintf("the mail server took longer than %v", sendTimeout)}
	case ctx.Err() != nil:
		return &Failure{Reason: "interrupted"}
	case errors.As(err, &sent):
		// RFC 3463 3.2
		unknown := sent.Reason == gomail.ErrSMTPRcptTo && sent.ErrorCode() >= 500 &&
			strings.HasPrefix(sent.EnhancedStatusCode(), "5.1.")
		return &Failure{Reason: s.words(err.Error(), to), Final: unknown}
	case strings.Contains(err.Error(), "SMTP AUTH failed") && errors.As(err, &answer):
		return &Failure{Reason: fmt.Sprintf("the mail server refused the user name or password (%d)", answer.Code)}
	}
	return &Failure{Reason: s.words(err.Error(), to)}
}

// words cleans a server's reply for the log: one line, no password, no address of a person.
func (s *Settings) words(text, to string) string {
	text = strings.ReplaceAll(text, to, "[recipient]")
	if s.password != "" {
		for _, secret := range []string{s.password, base64.StdEncoding.EncodeToString([]byte(s.password)),
			base64.StdEncoding.EncodeToString([]byte("\x00" + s.username + "\x00" + s.password))} {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	return cut(line(text), 300)
}
