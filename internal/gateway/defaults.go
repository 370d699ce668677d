package gateway

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

const day = 24 * time.Hour

// Base is the prefix of all gateway URLs.
func (c Config) Base() string {
	if c.Path == "" {
		return "/.truxe"
	}
	return c.Path
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	c.Path = c.Base()
	if c.Rules == nil {
		c.Rules = rules.NewBook(nil)
	}
	if c.Storage.Driver == "" {
		c.Storage.Driver = "sqlite"
	}
	if c.Storage.Driver == "sqlite" && c.Storage.DSN == "" {
		c.Storage.DSN = filepath.Join(c.DataDir, "truxe.db")
	}
	setDefault(&c.Redis.Prefix, cluster.DefaultPrefix)
	setDefault(&c.Redis.Stale, 10*time.Second)
	if len(c.JWT.Audience) == 0 {
		c.JWT.Audience = []string{"truxe"}
	}
	setDefault(&c.JWT.Access, 15*time.Minute)
	setDefault(&c.JWT.Refresh, 30*day)
	setDefault(&c.JWT.Rotate, 90*day)
	setDefault(&c.JWT.Bits, 2048)
	setDefault(&c.Session.Idle, time.Hour)
	setDefault(&c.Session.Max, day)
	setDefault(&c.Session.Remember, 30*day)
	setDefault(&c.Session.Limit, 10)
	setDefault(&c.Password.MinLength, 15)
	setDefault(&c.Password.MinLengthWithMFA, 8)
	setDefault(&c.Password.Algorithm, "bcrypt")
	setDefault(&c.Password.Cost, 12)
	setDefault(&c.RateLimits.Login, Rate{5, 5 * time.Minute})
	setDefault(&c.RateLimits.Address, Rate{50, 5 * time.Minute})
	setDefault(&c.Brand.Name, "Truxe")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
