package store

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

func (s *Store) openPostgres(ctx context.Context, cfg Config) error {
	pg, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return fmt.Errorf("storage postgres: %w", err) // pgx leaves the password out
	}
	s.warnings = tlsWarnings(pg)
	if pg.ConnectTimeout == 0 || pg.ConnectTimeout > waitLimit {
		pg.ConnectTimeout = waitLimit
	}
	for name, value := range map[string]string{
		"application_name":                    "truxe",
		"lock_timeout":                        "1000",  // ms; waitLimit
		"statement_timeout":                   "30000", // a purge or an export at most; requests end earlier by their context
		"idle_in_transaction_session_timeout": "10000", // a node that froze must not hold the audit chain
		"TimeZone":                            "UTC",
	} {
		if _, set := pg.RuntimeParams[name]; !set {
			pg.RuntimeParams[name] = value
		}
	}
	s.write = stdlib.OpenDB(*pg)
	s.read = s.write
	conns := cfg.MaxConns
	if conns <= 0 {
		conns = 20
	}
	s.write.SetMaxOpenConns(max(conns, 2)) // migrations need two
	s.write.SetMaxIdleConns(max(conns/2, 2))
	s.write.SetConnMaxLifetime(30 * time.Minute)
	s.write.SetConnMaxIdleTime(5 * time.Minute)
	if err := s.Ping(ctx); err != nil {
		return fmt.Errorf("storage postgres at %s: %w", pg.Host, err)
	}
	return s.migratePostgres(ctx)
}

// tlsWarnings says which connections could be read or redirected by somebody on the way (OP-01).
func tlsWarnings(cfg *pgx.ConnConfig) []string {
	var out []string
	seen := map[string]bool{}
	warn := func(host string, t *tls.Config) {
		if local(host) || seen[host] {
			return
		}
		switch {
		case t == nil:
			out = append(out, fmt.Sprintf("PostgreSQL at %s may be reached in plain text: passwords and sessions can be read on the way; add sslmode=verify-full to its connection string", host))
		case t.InsecureSkipVerify && t.VerifyPeerCertificate == nil && t.VerifyConnection == nil:
			out = append(out, fmt.Sprintf("the certificate of PostgreSQL at %s is not verified: somebody on the way can pretend to be it; add sslmode=verify-full to its connection string", host))
		default:
			return
		}
		seen[host] = true
	}
	for _, f := range cfg.Fallbacks { // sslmode=prefer: first with TLS, then without
		if f.TLSConfig == nil {
			warn(f.Host, nil)
		}
	}
	warn(cfg.Host, cfg.TLSConfig)
	for _, f := range cfg.Fallbacks {
		warn(f.Host, f.TLSConfig)
	}
	return out
}

func local(host string) bool {
	if host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
