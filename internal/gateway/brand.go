package gateway

import (
	"fmt"

	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/regular"
)

func openBreached(cfg Config) (*credential.BreachedFile, error) {
	if cfg.Password.BreachedFile == "" {
		return nil, nil // no file is configured
	}
	return credential.OpenBreached(cfg.Password.BreachedFile)
}

// names are the words a password must not be made of (PW-08).
func (c Config) names() []string {
	names := []string{c.Brand.Name}
	for _, s := range c.Sites {
		if s.Host != "" {
			names = append(names, s.Host)
		}
	}
	return names
}

func (c Config) viewBrand() (view.Brand, error) {
	b := view.Brand{Name: c.Brand.Name, Accent: c.Brand.Accent, Support: c.Brand.Support}
	if c.Brand.Logo == "" {
		return b, nil
	}
	raw, err := regular.Read(c.Brand.Logo, maxLogo)
	if err != nil {
		return b, fmt.Errorf("brand logo: %w", err)
	}
	b.Logo = raw
	return b, nil
}

// maxLogo bounds the logo's file in bytes; it is part of the login page.
const maxLogo = 32 << 10
