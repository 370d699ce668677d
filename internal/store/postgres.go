package store

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/truxeio/caddy-truxe/internal/loopback"
)

// settings bound what a connection may do to others. They are set after connecting: a pooler such as PgBouncer refuses
// most parameters at the start of a connection.
var settings = map[string]string{
	"lock_timeout":                        "1000",  // ms; waitLimit
	"statement_timeout":                   "30000", // a purge or an export at most; requests end earlier by their context
	"idle_in_transaction_session_timeout": "10000", // a node that froze must not hold the audit chain
}

// connectLimit bounds the opening of one connection to one host, for which no request waits, and the wait for the first
// ones at start.
const connectLimit = 5 * time.Second

func (s *Store) openPostgres(ctx context.Context, cfg Config) error {
	pg, err := ParseDSN(cfg.DSN)
	if err != nil {
		return fmt.Errorf("storage postgres: %w", err)
	}
	s.warnings = tlsWarnings(pg)
	if pg.ConnectTimeout == 0 || pg.ConnectTimeout > connectLimit {
		pg.ConnectTimeout = connectLimit
	}
	own := ownSettings(pg)
	server := net.JoinHostPort(pg.Host, strconv.Itoa(int(pg.Port)))
	pooled, err := s.behindPooler(ctx, pg)
	if err != nil {
		return fmt.Errorf("storage postgres at %s: %w", server, translate(ctx, err))
	}
	if pooled {
		if _, set := own["search_path"]; set || strings.Contains(pg.RuntimeParams["options"], "search_path") {
			return fmt.Errorf("storage postgres at %s: the connection string sets search_path, but a pooler is between here and PostgreSQL, where it would not hold for every statement; "+
				"take it out and set it once on the server: ALTER ROLE … SET search_path = …", server)
		}
		s.perTx = setStatement(own, true)
		if !strings.Contains(cfg.DSN, "default_query_exec_mode") {
			// statements prepared by name belong to one of the pooler's connections
			pg.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
		s.logger.Info("a pooler is between here and PostgreSQL: no statement is prepared by name, and settings are made in each transaction", "server", server)
	}
	if err := s.openPool(ctx, cfg, pg, own, pooled); err != nil {
		return fmt.Errorf("storage postgres at %s: %w", server, err)
	}
	return s.migratePostgres(ctx)
}

// ownSettings takes the settings out of the parameters with which a connection starts, and adds ours.
func ownSettings(pg *pgx.ConnConfig) map[string]string {
	own := map[string]string{"TimeZone": "UTC"}
	for name, value := range settings {
		own[name] = value
	}
	if _, set := pg.RuntimeParams["application_name"]; !set {
		pg.RuntimeParams["application_name"] = "truxe"
	}
	for name, value := range pg.RuntimeParams {
		switch name {
		case "application_name", "client_encoding", "options": // poolers know the first two, and the last is no setting
		case "timezone":
			own["TimeZone"] = value
			delete(pg.RuntimeParams, name)
		default:
			own[name] = value
			delete(pg.RuntimeParams, name)
		}
	}
	return own
}

// setStatement returns the statement for the settings, for a transaction or a connection. SET would take a list such as
// that of search_path for one name.
func setStatement(own map[string]string, local bool) string {
	quote := func(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
	calls := make([]string, 0, len(own))
	for name, value := range own {
		calls = append(calls, fmt.Sprintf("set_config(%s, %s, %t)", quote(name), quote(value), local))
	}
	return "SELECT " + strings.Join(calls, ", ")
}

// connectBudget is how long a connection may take that is tried at each host of a connection string, one after the
// other, and where sslmode allows it at each with and without TLS.
func connectBudget(pg *pgx.ConnConfig) time.Duration {
	return connectLimit * time.Duration(1+len(pg.Fallbacks))
}

// behindPooler reports whether a pooler such as PgBouncer answers instead of the server: it gives out process numbers
// of its own, and the server another one.
func (s *Store) behindPooler(ctx context.Context, pg *pgx.ConnConfig) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, connectBudget(pg))
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, pg)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var pid uint32
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid()::bigint", pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	return pid != conn.PgConn().PID(), err
}

// openPool opens connections before they are needed. The pool opens further ones in the background: a request waits
// for a connection that is open, never for one that is being opened.
func (s *Store) openPool(ctx context.Context, cfg Config, pg *pgx.ConnConfig, own map[string]string,
	pooled bool) error {
	// the one that was read before: an empty one could be refused for a PG* variable that ours overrides
	config, err := pgxpool.ParseConfig(cfg.DSN)
	if err != nil {
		return dsnMistake(err)
	}
	most := cfg.MaxConns
	if most <= 0 {
		most = 20
	}
	most = max(most, 2) // migrations need two
	config.ConnConfig = pg
	config.MaxConns, config.MinConns, config.MinIdleConns = int32(most), int32(warm(most)), 2 //nolint:gosec // small
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = 30*time.Minute, 5*time.Minute
	config.MaxConnIdleTime = 5 * time.Minute
	config.HealthCheckPeriod = time.Second
	if !pooled {
		set := setStatement(own, false)
		config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, set, pgx.QueryExecModeSimpleProtocol)
			return err
		}
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return plainConnect(err)
	}
	s.write = stdlib.OpenDBFromPool(s.pool)
	s.read = s.write
	if err := s.waitWarm(ctx, most, connectBudget(pg)); err != nil {
		return err
	}
	s.resize(most)
	stop := make(chan struct{})
	s.stop = func() { close(stop) }
	go s.followPool(stop, most)
	return nil
}

// warm is how many connections are open at least.
func warm(most int) int { return max(most/2, 2) }

// waitWarm waits for the connections that are opened at start.
func (s *Store) waitWarm(ctx context.Context, most int, limit time.Duration) error {
	for end := time.Now().Add(limit); s.open() < warm(most) && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	if open := s.open(); open < warm(most) {
		s.logger.Warn("the database gave fewer connections than are kept open", "open", open, "wanted", warm(most))
	}
	return s.Ping(ctx)
}

// open is how many connections are there to be used.
func (s *Store) open() int {
	stat := s.pool.Stat()
	return int(stat.TotalConns() - stat.ConstructingConns())
}

// resize lets callers use the connections that are open, and queue for them.
func (s *Store) resize(most int) { s.write.SetMaxOpenConns(min(max(s.open(), 2), most)) }

// followPool keeps the queue as wide as the pool.
func (s *Store) followPool(stop <-chan struct{}, most int) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			s.resize(most)
		}
	}
}

// tlsWarnings says which connections could be read or redirected on the way (OP-01).
func tlsWarnings(cfg *pgx.ConnConfig) []string {
	var out []string
	seen := map[string]bool{}
	warn := func(host string, t *tls.Config) {
		if local(host) || seen[host] {
			return
		}
		switch {
		case t == nil:
			out = append(out,
				fmt.Sprintf("PostgreSQL at %s may be reached in plain text: passwords and sessions can be read on the way; add sslmode=verify-full to its connection string", host))
		case t.InsecureSkipVerify && t.VerifyPeerCertificate == nil && t.VerifyConnection == nil:
			out = append(out,
				fmt.Sprintf("the certificate of PostgreSQL at %s is not verified: an attacker on the network can impersonate it; add sslmode=verify-full to its connection string", host))
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
	return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || loopback.Host(host)
}
