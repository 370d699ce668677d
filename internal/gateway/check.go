package gateway

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/cors"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/mail"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// Check finds what is wrong with a configuration without touching network or disk state beyond the files it names.
func Check(c Config) error {
	c = c.withDefaults()
	if !strings.HasPrefix(c.Path, "/") || strings.HasSuffix(c.Path, "/") || strings.ContainsAny(c.Path, "?#%\\*{}; ") ||
		strings.Contains(c.Path, "//") || len(c.Path) > 64 {
		return fmt.Errorf("path %q must begin with / and not end with it, for example /.truxe", c.Path)
	}
	if c.Storage.Driver != "sqlite" && c.Storage.Driver != "postgres" {
		return errors.New("unknown storage; use sqlite or postgres")
	}
	if c.Storage.Driver == "postgres" {
		if _, err := store.ParseDSN(c.Storage.DSN); err != nil {
			return fmt.Errorf("storage postgres: %w", err)
		}
		switch { // many nodes need all three lines
		case len(c.EncryptionKeys) == 0:
			return errors.New("storage postgres needs a common encryption_key; make one with: caddy truxe keys new-secret")
		case c.Redis.URL == "":
			return errors.New("storage postgres needs redis, so that a revocation reaches every node; add: redis redis://127.0.0.1:6379/0")
		}
	}
	if c.Redis.URL != "" {
		if _, err := cluster.ParseURL(c.Redis.URL); err != nil {
			return fmt.Errorf("redis: %w", err)
		}
		if err := cluster.CheckPrefix(c.Redis.Prefix); err != nil {
			return fmt.Errorf("redis: %w", err)
		}
		if c.Storage.Driver == "sqlite" && len(c.EncryptionKeys) == 0 {
			c.Logger.Warn("redis without storage postgres: nodes do not share users and sessions")
		}
	}
	if _, err := encryptionKeys(c.EncryptionKeys); err != nil {
		return err
	}
	if c.JWT.Issuer != "" {
		if u, err := url.Parse(c.JWT.Issuer); err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" ||
			u.Fragment != "" {
			return fmt.Errorf("jwt issuer %q must be an https URL", c.JWT.Issuer)
		}
	}
	if c.JWT.PrivateKey != "" {
		if _, err := token.ImportKey(c.JWT.PrivateKey); err != nil {
			return fmt.Errorf("jwt private_key: %w", err)
		}
	}
	if c.Session.Idle > c.Session.Max {
		return errors.New("session idle is longer than session max; lower it or raise max")
	}
	if c.Password.MinLengthWithMFA > c.Password.MinLength {
		return errors.New("password min_length_with_mfa is greater than min_length")
	}
	if c.SMTP.URL != "" {
		if _, err := mail.Parse(c.SMTP.URL, c.SMTP.From); err != nil {
			return err
		}
	}
	if _, err := cors.New(c.CORS); err != nil {
		return err
	}
	if c.Password.BreachedFile != "" {
		f, err := credential.OpenBreached(c.Password.BreachedFile)
		if err != nil {
			return fmt.Errorf("password breached: %w", err)
		}
		_ = f.Close()
	}
	if c.UsersFile != "" {
		file, err := people.ReadUsersFile(c.UsersFile)
		if err != nil {
			return err
		}
		if err := file.CheckRoles(c.Rules.RoleModel()); err != nil {
			return fmt.Errorf("%s: %w", c.UsersFile, err)
		}
	}
	brand, err := c.viewBrand()
	if err == nil {
		_, err = view.New(brand, c.Path)
	}
	return err
}

func encryptionKeys(texts []string) ([]secret.Key, error) {
	var keys []secret.Key
	for _, text := range texts {
		k, err := secret.ParseKey(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}
