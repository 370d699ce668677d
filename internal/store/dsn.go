package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/truxeio/caddy-truxe/internal/regular"
)

// maxDSN bounds a connection string in bytes.
const maxDSN = 4096

// ParseDSN reads a connection string of PostgreSQL: a URL, or keywords and values as libpq has them. It is strict where
// pgx is not: a character of a password that was not encoded would become part of another field, and the rest of the
// password the name of a host that is looked up. No error repeats any part of the string.
func ParseDSN(text string) (*pgx.ConnConfig, error) {
	err := checkDSN(text)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGPASSFILE", "PGSERVICEFILE"} {
		if err := checkFile(os.Getenv(name)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	pg, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, dsnMistake(err)
	}
	return pg, nil
}

func checkDSN(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("the connection string is empty; for example postgres://truxe@127.0.0.1/truxe")
	case len(text) > maxDSN:
		return errors.New("the connection string is too long")
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("the connection string contains a line end or another control character")
	}
	scheme, rest, isURL := strings.Cut(text, "://")
	switch {
	case isURL && (strings.EqualFold(scheme, "postgres") || strings.EqualFold(scheme, "postgresql")):
		return checkURL(rest)
	case isURL && !strings.ContainsAny(scheme, "= '"):
		return errors.New("unknown scheme of the connection string; write postgres://")
	}
	return checkKeywords(text)
}

// dsnMistake says what pgx refused, without what it repeats of the string.
func dsnMistake(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return errors.New("the connection string names a file that cannot be read (sslrootcert, sslcert, sslkey or servicefile): " + at.Err.Error())
	}
	return errors.New("the connection string has a value that cannot be used; look at sslmode, connect_timeout, target_session_attrs and the files of TLS")
}

const encode = "; percent-encode what has a meaning in URLs in user and password: @ is %40, / is %2F, # is %23, ? is %3F, % is %25, a space is %20"

// checkURL judges what follows postgres://.
func checkURL(rest string) error {
	switch {
	case strings.ContainsRune(rest, '#'):
		return errors.New("the connection string contains #" + encode)
	case strings.Count(rest, "@") > 1:
		return errors.New("the connection string contains more than one @" + encode)
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	if strings.ContainsRune(tail, '@') {
		return errors.New("the connection string has an @ after the host" + encode)
	}
	hosts := authority
	if user, after, ok := strings.Cut(authority, "@"); ok {
		if hosts = after; strings.ContainsFunc(user, notUserinfo) {
			return errors.New("the user or password of the connection string contains a character that must be encoded" + encode)
		}
		if plain, err := url.PathUnescape(user); err != nil || !utf8.ValidString(plain) {
			return errors.New("the user or password of the connection string contains a % that encodes nothing" + encode)
		}
	}
	for _, host := range strings.Split(hosts, ",") {
		if err := checkHostPort(host); err != nil {
			return err
		}
	}
	path, query, _ := strings.Cut(tail, "?")
	if name, err := url.PathUnescape(strings.TrimPrefix(path, "/")); err != nil || strings.ContainsRune(name, '/') {
		return errors.New("the connection string has a path that is not the name of a database" + encode)
	}
	return checkQuery(query)
}

// notUserinfo reports what RFC 3986 keeps out of user and password.
func notUserinfo(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("-._~!$&'()*+,;=:%", r))
}

func checkHostPort(text string) error {
	host, port := text, ""
	if end := strings.IndexByte(text, ']'); strings.HasPrefix(text, "[") && end > 0 {
		host, port = text[1:end], strings.TrimPrefix(text[end+1:], ":")
	} else if i := strings.LastIndexByte(text, ':'); i >= 0 {
		host, port = text[:i], text[i+1:]
		if strings.ContainsRune(host, ':') {
			return errors.New("the connection string has a malformed host; IPv6 addresses are in brackets" + encode)
		}
	}
	if err := checkHost(host); err != nil {
		return err
	}
	return checkPort(port)
}

func checkHost(host string) error {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") { // the folder of a socket
		return nil
	}
	for _, c := range []byte(host) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._:", c) >= 0:
		default:
			return errors.New("the connection string has a host with characters that no host name has" + encode)
		}
	}
	return nil
}

func checkPort(port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return errors.New("the connection string has a port that is not 1 to 65535" + encode)
	}
	return nil
}

func checkQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the parameters of the connection string cannot be read" + encode)
	}
	for name, list := range values {
		if len(list) != 1 {
			return errors.New("a parameter of the connection string is there twice")
		}
		if err := checkParameter(name, list[0]); err != nil {
			return err
		}
	}
	return nil
}

// parameters that a connection string may have, besides those that end in _timeout.
var parameters = []string{
	"host", "port", "dbname", "database", "user", "password", "passfile", "service", "servicefile",
	"sslmode", "sslkey", "sslcert", "sslrootcert", "sslpassword", "sslsni", "sslnegotiation", "channel_binding",
	"require_auth",
	"min_protocol_version", "max_protocol_version", "krbsrvname", "krbspn", "target_session_attrs", "connect_timeout",
	"application_name", "client_encoding", "options", "search_path", "TimeZone", "timezone", "statement_timeout",
	"lock_timeout",
	"idle_in_transaction_session_timeout", "default_query_exec_mode", "statement_cache_capacity",
	"description_cache_capacity",
}

func checkParameter(name, value string) error {
	if !slices.Contains(parameters, name) { // not repeated: it may be the rest of a password
		return errors.New("the connection string has a parameter that is not known; known are " + strings.Join(parameters,
			", "))
	}
	var err error
	switch name {
	case "host":
		for _, host := range strings.Split(value, ",") {
			err = errors.Join(err, checkHost(host))
		}
	case "port":
		for _, port := range strings.Split(value, ",") {
			err = errors.Join(err, checkPort(port))
		}
	case "sslmode":
		if !slices.Contains([]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}, value) {
			err = errors.New("sslmode of the connection string must be disable, allow, prefer, require, verify-ca or verify-full")
		}
	case "sslrootcert", "sslcert", "sslkey", "passfile", "servicefile":
		if err = checkFile(value); err != nil {
			err = fmt.Errorf("%s of the connection string: %w", name, err)
		}
	case "default_query_exec_mode":
		if !slices.Contains([]string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"},
			value) {
			err = errors.New("default_query_exec_mode of the connection string must be cache_statement, cache_describe, describe_exec, exec or simple_protocol")
		}
	}
	return err
}

// maxFile bounds a file that pgx reads.
const maxFile = 1 << 20

// checkFile refuses a file that pgx would read without end. One that is not there is left to pgx: its name may be the
// rest of a password, and must not be repeated.
func checkFile(path string) error {
	if _, err := os.Stat(path); path == "" || path == os.DevNull || err != nil {
		return nil //nolint:nilerr // as above
	}
	return regular.Check(path, maxFile)
}

var errKeywords = errors.New("the connection string cannot be read; write postgres://…, or keyword=value with single quotes around a value that contains spaces")

// checkKeywords judges `host=127.0.0.1 user=truxe password='two words'`: values end at a space unless they are quoted,
// and \ takes the next character as it is.
func checkKeywords(text string) error {
	for rest := strings.TrimLeft(text, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		name, after, ok := strings.Cut(rest, "=")
		if name = strings.TrimRight(name, " "); !ok || name == "" || strings.ContainsAny(name, ` '\`) {
			return errKeywords
		}
		value, left, ok := keywordValue(strings.TrimLeft(after, " "))
		if !ok {
			return errKeywords
		}
		if err := checkParameter(name, value); err != nil {
			return err
		}
		rest = left
	}
	return nil
}

func keywordValue(text string) (value, rest string, ok bool) {
	quoted := strings.HasPrefix(text, "'")
	if quoted {
		text = text[1:]
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '\\':
			return "", "", false
		case c == '\'' && quoted:
			rest := text[i+1:]
			return b.String(), rest, rest == "" || rest[0] == ' '
		case c == ' ' && !quoted:
			return b.String(), text[i:], true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", !quoted
}
