package portal

import "github.com/truxeio/caddy-truxe/internal/identity"

// permitted tells whether the caller holds a permission, through the roles that policies define at this moment.
func (c *call) permitted(permission string) bool {
	if c.entry == nil {
		return false
	}
	_, ok := c.Accounts.Model().Allows(c.entry.Principal.Roles, permission)
	return ok
}

// needs refuses a caller without a permission, and names it: the names are in the API reference, who holds one is not told.
func (c *call) needs(permission string) error {
	if c.permitted(permission) {
		return nil
	}
	return &identity.Error{Code: identity.CodePermissionRequired, Detail: "This needs the permission " + permission + "."}
}
