// Package people manages the users of the gateway: create, change, disable and delete them, their roles, the users
// file, the first administrator, and what users do to their own profile.
package people

import (
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// Directory holds the users.
type Directory struct {
	Changes        *change.Changes
	PasswordPolicy credential.Policy
	Hasher         *credential.Hasher

	// Roles returns the roles that policies define now. nil, or a nil model: none, so any name is a role.
	Roles func() *policy.RoleModel
}
