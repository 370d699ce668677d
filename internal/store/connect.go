package store

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// connectError is a failed connection to PostgreSQL without what pgx and the server repeat of the connection string:
// user, database, and the host where it is looked up.
type connectError struct {
	reason string
	cause  error // for errors.Is and errors.As alone
}

func (e *connectError) Error() string { return e.reason }
func (e *connectError) Unwrap() error { return e.cause }

// plainConnect replaces the text of a failed connection, and leaves other errors alone.
func plainConnect(err error) error {
	var failed *pgconn.ConnectError
	var done *connectError
	if !errors.As(err, &failed) || errors.As(err, &done) {
		return err
	}
	return &connectError{connectReason(failed), err}
}

func connectReason(err error) string {
	var reply *pgconn.PgError
	var name *net.DNSError
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &reply):
		return serverReason(reply.Code)
	case errors.As(err, &name):
		return "the name of the server has no address"
	case errors.Is(err, context.DeadlineExceeded):
		return "the server did not answer in time"
	case errors.Is(err, context.Canceled):
		return "the connection was given up"
	case errors.As(err, &certificate):
		return "the certificate of the server is not trusted: " + certificate.Err.Error()
	case errors.As(err, &network):
		return network.Op + ": " + network.Err.Error()
	}
	return "the connection failed; look at sslmode, and at what the server logs"
}

// serverReason says what PostgreSQL, or a pooler before it, refused. Its own text repeats names.
func serverReason(code string) string {
	text := "the server refused the connection"
	switch code {
	case "28P01":
		text = "the server refused the user or the password"
	case "28000":
		text = "the server does not let this user in from here; look at its pg_hba.conf"
	case "3D000":
		text = "the server has no such database"
	case "53300":
		text = "the server has no connection left (max_connections)"
	case "57P03":
		text = "the server is starting, stopping or recovering"
	case "08P01":
		text = "the server or a pooler before it refused the start of the connection: an unknown user or database, or a parameter that a pooler does not take"
	}
	return text + " (SQLSTATE " + code + ")"
}
