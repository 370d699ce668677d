package people

import "github.com/truxeio/caddy-truxe/internal/identity"

// Beyond returns a permission that a role grants and a user does not have, or "". A user may give and
// take only roles that are not beyond them, or they could raise themselves.
func (d *Directory) Beyond(p *identity.Principal, role string) (permission string) {
	m := d.Model()
	for _, permission := range m.Permissions([]string{role}) {
		if _, ok := m.Allows(p.Roles, permission); !ok {
			return permission
		}
	}
	return ""
}
