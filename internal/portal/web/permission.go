package web

import (
	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Permissions of pages and API (CONTRACT section 7).
const (
	// PoliciesRead allows to read rules, to learn which of them decides, and to ask on behalf of another user.
	PoliciesRead     = "truxe:policies:read"
	RolesRead        = "truxe:roles:read"
	RolesWrite       = "truxe:roles:write"
	TokensIntrospect = "truxe:tokens:introspect"
)

// Permitted reports whether the caller holds a permission, through the roles that policies define at this moment.
func (c *Call) Permitted(permission string) bool {
	if c.Entry == nil {
		return false
	}
	_, ok := c.People.Model().Allows(c.Entry.Principal.Roles, permission)
	return ok
}

// Require refuses a caller without a permission, and names it: the names are in the API reference, their holders are
// not disclosed. The refusal is in the audit log, under the reference of the answer (AU-01); the same one again within
// a minute is counted.
func (c *Call) Require(permission string) error {
	if c.Permitted(permission) {
		return nil
	}
	return c.Deny("This needs the permission "+permission+".", permission)
}

// Deny returns the error of a caller without a permission and notes it in the audit log; detail is for the caller.
func (c *Call) Deny(detail, permission string) error {
	p := c.Entry.Principal
	kind := audit.Denial{User: p.UserID, Site: "portal", Reason: string(identity.CodePermissionRequired),
		Rule: permission}
	c.reference = c.Changes.Audit.Deny(kind, func() audit.Event {
		return audit.Event{Event: audit.AuthzFail, Outcome: "deny", Actor: audit.Actor{ID: p.UserID, Name: p.Username},
			Session: p.SessionID,
			IP:      c.Client.Addr, UserAgent: c.R.UserAgent(), Host: c.Host, Method: c.R.Method, Path: c.R.URL.Path,
			Reason:  string(identity.CodePermissionRequired),
			Details: map[string]string{"permission": permission}}
	})
	return identity.Refuse(identity.CodePermissionRequired, detail)
}
