package gateway

import (
	"fmt"

	"github.com/truxeio/caddy-truxe/internal/nearest"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// trusted reads the issuers whose tokens are accepted beside our own. Check and the start both call it, so that
// `caddy validate` refuses what the start would.
func trusted(cfg Config) ([]*token.Trust, error) {
	var list []*token.Trust
	roles := cfg.Rules.RoleModel()
	for _, t := range cfg.JWT.Trust {
		trust, err := token.NewTrust(token.TrustConfig{
			Issuer:         t.Issuer,
			JWKS:           t.JWKS,
			Audience:       t.Audience,
			SubjectClaim:   t.SubjectClaim,
			RolesClaim:     t.RolesClaim,
			Roles:          t.Roles,
			UsernamePrefix: t.UsernamePrefix,
			Types:          t.Types,
			Algorithms:     t.Algorithms,
			Logger:         cfg.Logger,
			Now:            cfg.Now,
		})
		if err != nil {
			return nil, fmt.Errorf("trust %s: %w", t.Issuer, err)
		}
		for _, m := range t.Roles {
			if !roles.Known(m.Role) {
				return nil, fmt.Errorf("trust %s: role %s: the policies define no such role%s", t.Issuer, m.Role,
					nearest.Hint(m.Role, roles.Names()))
			}
		}
		list = append(list, trust)
	}
	return list, token.CheckIssuers(nil, list)
}

// CheckSites finds what is wrong with a configuration once its sites are known, and logs what is allowed and worth a
// word.
func CheckSites(c Config) error {
	c = c.withDefaults()
	list, err := trusted(c)
	if err != nil {
		return err
	}
	asked := c.Rules.RoleModel().Defined()
	for _, s := range c.Sites {
		asked = asked || len(s.Roles) > 0
	}
	for _, t := range c.JWT.Trust {
		if asked && len(t.Roles) == 0 {
			c.Logger.Warn("tokens of a trusted issuer have no role here, since nothing maps any; where they should, write in its trust block: role <ours> from <theirs...>",
				"issuer", t.Issuer)
		}
	}
	return token.CheckIssuers(c.issuers(), list)
}
