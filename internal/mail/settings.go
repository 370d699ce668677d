package mail

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/loopback"
	"github.com/truxeio/caddy-truxe/internal/regular"
)

// Settings say which server takes mails, and from whom they are.
type Settings struct {
	host, port string
	from       mail.Address
	implicit   bool        // TLS from the first byte
	tls        *tls.Config // nil: plain text, within this machine only

	username, password string
}

// Addr is host:port of the server.
func (s *Settings) Addr() string { return net.JoinHostPort(s.host, s.port) }

// String returns the server without its password (R10).
func (s *Settings) String() string { return s.Addr() }

// GoString returns the server without its password.
func (s *Settings) GoString() string { return s.Addr() }

// LogValue is the server without its password.
func (s *Settings) LogValue() slog.Value { return slog.StringValue(s.Addr()) }

// Bounds in bytes.
const (
	maxURL    = 4096
	maxCAFile = 1 << 20
)

// Parse reads
//
//	smtp://[user:password@]host[:587]     STARTTLS, which must work; plain text to a loopback address
//	smtps://[user:password@]host[:465]    TLS from the start
//
// with the parameters ca_file=<PEM file> and server_name=<name>, which ask for TLS on loopback too, and tls=true, which
// does just that. Certificates are always verified (OP-01). from is `Name <address>` or an address. Characters with a
// meaning in URLs are percent-encoded in user and password. No error repeats any part of the URL.
func Parse(raw, from string) (*Settings, error) {
	s := &Settings{}
	var err error
	if s.from, err = parseFrom(from); err != nil {
		return nil, err
	}
	if len(raw) > maxURL {
		return nil, errors.New("smtp url is too long")
	}
	scheme, rest, _ := strings.Cut(raw, "://")
	switch strings.ToLower(scheme) {
	case "smtp":
		s.port = "587"
	case "smtps":
		s.port, s.implicit = "465", true
	default:
		return nil, errors.New("smtp url must begin with smtp:// or smtps://")
	}
	if strings.ContainsRune(rest, '#') {
		return nil, errors.New("smtp url has a fragment; write # in a password as %23")
	}
	rest, query, _ := strings.Cut(rest, "?")
	if strings.ContainsRune(query, '@') || strings.ContainsRune(rest, '/') {
		return nil, errors.New("smtp url ends after host and port; write / ? @ in a password as %2F %3F %40")
	}
	if err := s.parseAuthority(rest); err != nil {
		return nil, err
	}
	return s, s.parseQuery(query)
}

// parseFrom reads the sender. A name with a line end or an invisible character is refused, not repaired: it is the
// operator's own.
func parseFrom(from string) (mail.Address, error) {
	bad := errors.New("smtp from must be an address such as \"Example <no-reply@example.com>\"")
	if len(from) > 1000 || line(from) != strings.TrimSpace(from) {
		return mail.Address{}, bad
	}
	a, err := mail.ParseAddress(from)
	if err != nil || line(a.Name) != a.Name {
		return mail.Address{}, bad
	}
	if _, err := address(a.Address); err != nil {
		return mail.Address{}, bad
	}
	return *a, nil
}

func (s *Settings) parseAuthority(authority string) error {
	host := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		host = authority[at+1:]
		user, password, _ := strings.Cut(authority[:at], ":")
		var err1, err2 error
		s.username, err1 = url.PathUnescape(user)
		s.password, err2 = url.PathUnescape(password)
		if err1 != nil || err2 != nil {
			return errors.New("user or password of smtp url is not percent-encoded correctly")
		}
		if s.username == "" || s.password == "" || strings.ContainsAny(s.username+s.password, "\x00\r\n") {
			return errors.New("smtp url needs both a user and a password, or neither")
		}
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	} else if strings.ContainsRune(host, ':') {
		var err error
		if host, s.port, err = net.SplitHostPort(host); err != nil {
			return errors.New("smtp url has a malformed host; write IPv6 addresses in brackets")
		}
	}
	if host == "" {
		return errors.New("smtp url has no host")
	}
	for _, c := range []byte(host) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`%"'<>\^{}|[]`+"`", c) >= 0 {
			return errors.New("smtp url has a host with characters that no host name has")
		}
	}
	if n, err := strconv.ParseUint(s.port, 10, 16); err != nil || n == 0 {
		return errors.New("smtp url has a port that is not 1 to 65535")
	}
	s.host = host
	return nil
}

func (s *Settings) parseQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("parameters of smtp url cannot be read")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.host}
	secure := s.implicit || !loopback.Host(s.host)
	for name, v := range values {
		if len(v) != 1 || v[0] == "" {
			return errors.New("each parameter of smtp url must appear once, with a value")
		}
		switch name {
		case "tls":
			if v[0] != "true" {
				return errors.New("smtp url parameter tls must be true or absent")
			}
		case "server_name":
			config.ServerName = v[0]
		case "ca_file":
			pem, err := regular.Read(v[0], maxCAFile)
			if err != nil {
				return fmt.Errorf("read ca_file of smtp url: %w", err)
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(pem) {
				return errors.New("ca_file of smtp url holds no PEM certificate")
			}
		default:
			return errors.New("unknown parameter in smtp url; known are tls, ca_file, server_name")
		}
		secure = true
	}
	if secure {
		s.tls = config
	}
	return nil
}
