// Package mailtest is a real mail server for tests, with an inbox to look into. It speaks SMTP with STARTTLS or TLS and
// asks for a password, through the server of emersion/go-smtp: what we send is read by code that is not ours.
package mailtest

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Options of a server. The zero value: plain text, no password.
type Options struct {
	// TLS: "" none, "starttls" offered and needed for the password, "implicit" from the start.
	TLS                string
	Username, Password string
	Port               int // 0: any free one
	// Slow: it accepts connections and says nothing.
	Slow bool
}

// Server is a mail server on 127.0.0.1 that ends with the test.
type Server struct {
	CAFile string // its certificate, PEM

	t        testing.TB
	options  Options
	addr     string
	tls      *tls.Config
	mu       sync.Mutex
	end      func()
	refuse   func(to string) error
	mails    []Mail
	sessions int
}

// Start starts a server.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{t: t, options: o, end: func() {}, CAFile: filepath.Join(t.TempDir(), "mail-ca.pem"),
		refuse: func(string) error { return nil }}
	secure := httptest.NewTLSServer(nil) // its certificate is for 127.0.0.1, ::1 and example.com
	s.tls = &tls.Config{Certificates: secure.TLS.Certificates}
	err := os.WriteFile(s.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}),
		0o600)
	secure.Close()
	if err != nil {
		t.Fatal(err)
	}
	s.addr = (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: o.Port}).String()
	s.Up()
	t.Cleanup(s.Down)
	return s
}

// Up listens, again after Down on the same port.
func (s *Server) Up() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = l.Addr().String()
	if s.options.Slow {
		s.end = func() { _ = l.Close() }
		return
	}
	server := smtp.NewServer(s)
	server.Domain, server.EnableSMTPUTF8 = "mail.example.com", true
	server.ReadTimeout, server.WriteTimeout = 30*time.Second, 30*time.Second
	server.MaxMessageBytes, server.MaxLineLength = 1<<20, 998
	server.ErrorLog = log.New(io.Discard, "", 0)
	server.AllowInsecureAuth = s.options.TLS == ""
	switch s.options.TLS {
	case "starttls":
		server.TLSConfig = s.tls
	case "implicit":
		l = tls.NewListener(l, s.tls)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	s.end = func() { _, _ = l.Close(), server.Close(); <-done } // the server may not know of its listener yet
}

// Down stops listening and cuts what is open.
func (s *Server) Down() {
	s.end()
	s.end = func() {}
}

// Addr is host:port.
func (s *Server) Addr() string { return s.addr }

// URL is what the option `smtp` takes, password and certificate included.
func (s *Server) URL() string {
	u := url.URL{Scheme: "smtp", Host: s.addr}
	if s.options.TLS == "implicit" {
		u.Scheme = "smtps"
	}
	if s.options.Username != "" {
		u.User = url.UserPassword(s.options.Username, s.options.Password)
	}
	if s.options.TLS != "" {
		u.RawQuery = "ca_file=" + s.CAFile
	}
	return u.String()
}

// Refuse sets the server to answer a recipient with an error; nil takes it.
func (s *Server) Refuse(judge func(to string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = judge
}

// Inbox returns the mails that were accepted, oldest first.
func (s *Server) Inbox() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Sessions counts those that were begun.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

// NewSession is for the server's own use.
func (s *Server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, secure := c.TLSConnectionState()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions++
	return &session{server: s, secure: secure}, nil
}

type session struct {
	server *Server
	secure bool
	user   string
	from   string
	to     []string
}

func (c *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if o := c.server.options; username != o.Username || password != o.Password {
			// The worst server repeats what it was told.
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8},
				Message: "no " + username + " " + password}
		}
		c.user = username
		return nil
	}), nil
}

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if c.server.options.Username != "" && c.user == "" {
		return smtp.ErrAuthRequired
	}
	c.from = from
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.server.mu.Lock()
	refuse := c.server.refuse
	c.server.mu.Unlock()
	if err := refuse(to); err != nil {
		return err
	}
	c.to = append(c.to, to)
	return nil
}

func (c *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := read(raw)
	if err != nil {
		return errors.Join(&smtp.SMTPError{Code: 554, Message: err.Error()}, err)
	}
	m.EnvelopeFrom, m.EnvelopeTo, m.Secure, m.User = c.from, c.to, c.secure, c.user
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.mails = append(c.server.mails, m)
	return nil
}

func (c *session) Reset() { c.from, c.to = "", nil }

func (c *session) Logout() error { return nil }
