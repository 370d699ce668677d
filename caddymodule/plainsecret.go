package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/mail"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// A secret that is written in the configuration itself can be read in GET /config/, in autosave.json and in the output
// of `caddy adapt` (CONTRACT section 2, AU-07): Caddy keeps the text it was given. So it is refused, and the way out is
// told.

var (
	// placeholder is one whole {env.*} or {file.*}.
	placeholder = regexp.MustCompile(`^\{(?:env|file)\.[^{}]+\}$`)
	// dsnPassword is a password among the keywords or parameters of a connection string or URL.
	dsnPassword = regexp.MustCompile(`(?i)(?:^|[\s?&])\w*password\s*=\s*([^\s&]*)`)
)

// refuseKeyInText wants a key to come from {env.*} or {file.*}.
func refuseKeyInText(what string, keys ...string) error {
	for _, key := range keys {
		if key != "" && !placeholder.MatchString(key) {
			return plainSecret(what + " is written in the configuration")
		}
	}
	return nil
}

// refusePasswordInText wants an address with a password to come from {env.*} or {file.*}, or the password in it. An
// address that cannot be read is judged by what lies between its first : and its last @: a character that should have
// been encoded must not hide a password.
func refusePasswordInText(what, address string) error {
	if placeholder.MatchString(address) {
		return nil
	}
	var passwords []string
	_, rest, isURL := strings.Cut(address, "://")
	if at := strings.LastIndexByte(rest, '@'); isURL && at >= 0 {
		_, password, _ := strings.Cut(rest[:at], ":")
		passwords = append(passwords, password)
	}
	for _, m := range dsnPassword.FindAllStringSubmatch(address, -1) {
		passwords = append(passwords, strings.Trim(m[1], "'"))
	}
	for _, password := range passwords {
		if password != "" && !placeholder.MatchString(password) {
			return plainSecret("the password of " + what + " is written in the configuration")
		}
	}
	return nil
}

// refuseAddress refuses an address with a password in the configuration, and one that cannot be read: what it hides
// there would be shown. With a placeholder, it is read when that has its value.
func refuseAddress(what, address string, parse func(string) error) error {
	if err := refusePasswordInText(what, address); err != nil || address == "" || strings.Contains(address, "{") {
		return err
	}
	err := parse(address)
	var file *fs.PathError // of a certificate, which the machine that runs Caddy has
	if err == nil || errors.As(err, &file) {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func refuseStorage(s *Storage) error {
	if s.Driver != "postgres" {
		return refuseURLAsFile(s)
	}
	return refuseAddress("storage", s.DSN, func(text string) error { _, err := store.ParseDSN(text); return err })
}

func refuseRedis(r *Redis) error {
	return refuseAddress("redis", r.URL, func(text string) error { _, err := cluster.ParseURL(text); return err })
}

func refuseSMTP(s *SMTP) error {
	return refuseAddress("smtp", s.URL,
		func(text string) error { _, err := mail.Parse(text, "no-reply@example.com"); return err })
}

func plainSecret(what string) error {
	return fmt.Errorf("%s, where GET /config/ and `caddy adapt` show it; put it into a file or the environment and write {file.<path>} or {env.<NAME>}, not {$NAME}", what)
}

// refuseURLAsFile keeps a connection string from becoming the path of a file, which errors name.
func refuseURLAsFile(s *Storage) error {
	if strings.Contains(s.DSN, "://") {
		return errors.New("storage sqlite takes the path of a file; for a connection string write: storage postgres <connection string>")
	}
	return nil
}

// plainSecrets is the same for a whole configuration, as one written in JSON has not been through the Caddyfile.
func (a *App) plainSecrets() error {
	var errs []error
	errs = append(errs, refuseKeyInText("encryption_key", a.EncryptionKeys...))
	if a.Storage != nil {
		errs = append(errs, refuseStorage(a.Storage))
	}
	if a.Redis != nil {
		errs = append(errs, refuseRedis(a.Redis))
	}
	if a.SMTP != nil {
		errs = append(errs, refuseSMTP(a.SMTP))
	}
	if a.JWT != nil {
		errs = append(errs, refuseKeyInText("private_key", a.JWT.PrivateKey))
		for _, t := range a.JWT.Trust {
			errs = append(errs, refuseUserInJWKS(t.JWKS))
		}
	}
	return errors.Join(errs...)
}

// refuseUserInJWKS refuses an address with a user: public keys need none, and errors name the address.
func refuseUserInJWKS(address string) error {
	if _, rest, isURL := strings.Cut(address, "://"); isURL && strings.ContainsRune(rest, '@') {
		return errors.New("the address of jwks has a user or an @; public keys are fetched without")
	}
	return nil
}

// kept judges what was read, and gives the error its place in the Caddyfile.
func kept(d *caddyfile.Dispenser, read error, judge func() error) error {
	if read != nil {
		return read
	}
	if err := judge(); err != nil {
		return d.Err(err.Error())
	}
	return nil
}
