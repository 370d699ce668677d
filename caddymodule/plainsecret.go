package caddymodule

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// A secret that stands in the configuration itself can be read in GET /config/, in autosave.json and in the output of
// `caddy adapt` (CONTRACT section 2, AU-07): Caddy keeps the text it was given. So it is refused, and the way out is told.

var dsnPassword = regexp.MustCompile(`(?i)(^|\s)password\s*=`)

// refuseKeyInText wants a key to come from {env.*} or {file.*}.
func refuseKeyInText(what string, keys ...string) error {
	for _, key := range keys {
		if key != "" && !strings.Contains(key, "{") {
			return plainSecret(what + " stands in the configuration")
		}
	}
	return nil
}

// refusePasswordInText wants an address with a password to come from {env.*} or {file.*}, or the password in it.
func refusePasswordInText(what, address string) error {
	password := ""
	if u, err := url.Parse(address); err == nil && u.User != nil {
		password, _ = u.User.Password()
	} else if err != nil { // as with a placeholder, or a character that should have been encoded
		_, rest, _ := strings.Cut(address, "://")
		_, password, _ = strings.Cut(rest[:max(strings.LastIndexByte(rest, '@'), 0)], ":")
		if strings.HasPrefix(password, "{") {
			return nil
		}
	}
	if strings.HasPrefix(address, "{") || password == "" && !dsnPassword.MatchString(address) {
		return nil
	}
	return plainSecret("the password of " + what + " stands in the configuration")
}

func plainSecret(what string) error {
	return fmt.Errorf("%s, where GET /config/ and `caddy adapt` show it; put it into a file or the environment and write {file.<path>} or {env.<NAME>}, not {$NAME}", what)
}

// plainSecrets is the same for a whole configuration, as one written in JSON has not been through the Caddyfile.
func (a *App) plainSecrets() error {
	var errs []error
	errs = append(errs, refuseKeyInText("encryption_key", a.EncryptionKeys...))
	if a.Storage != nil && a.Storage.Driver == "postgres" {
		errs = append(errs, refusePasswordInText("storage", a.Storage.DSN))
	}
	if a.Redis != nil {
		errs = append(errs, refusePasswordInText("redis", a.Redis.URL))
	}
	if a.SMTP != nil {
		errs = append(errs, refusePasswordInText("smtp", a.SMTP.URL))
	}
	if a.JWT != nil {
		errs = append(errs, refuseKeyInText("private_key", a.JWT.PrivateKey))
	}
	return errors.Join(errs...)
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
