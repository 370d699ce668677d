package portal

import (
	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// permitted tells whether the caller holds a permission, through the roles that policies define at this moment.
func (c *call) permitted(permission string) bool {
	if c.entry == nil {
		return false
	}
	_, ok := c.People.Model().Allows(c.entry.Principal.Roles, permission)
	return ok
}

// needs refuses a caller without a permission, and names it: the names are in the API reference, who holds one is not told.
// The refusal is in the audit log, under the reference of the answer (AU-01); the same one again within a minute is counted.
func (c *call) needs(permission string) error {
	if c.permitted(permission) {
		return nil
	}
	return c.denied("This needs the permission "+permission+".", permission)
}

func (c *call) denied(detail, permission string) error {
	p := c.entry.Principal
	kind := audit.Denial{User: p.UserID, Site: "portal", Reason: string(identity.CodePermissionRequired), Rule: permission}
	c.reference = c.Changes.Audit.Deny(kind, func() audit.Event {
		return audit.Event{Event: audit.AuthzFail, Outcome: "deny", Actor: audit.Actor{ID: p.UserID, Name: p.Username}, Session: p.SessionID,
			IP: c.client.Addr, UserAgent: c.r.UserAgent(), Host: c.host, Method: c.r.Method, Path: c.r.URL.Path, Reason: string(identity.CodePermissionRequired),
			Details: map[string]string{"permission": permission}}
	})
	return &identity.Error{Code: identity.CodePermissionRequired, Detail: detail}
}
