package api

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/portal/wire"
)

// Sessions lists the caller's sessions.
func Sessions(c *web.Call) error {
	user, current, err := c.Own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Sessions.List(c.Context(), user)
	if err != nil {
		return err
	}
	items := make([]wire.Session, 0, len(list))
	for _, s := range list {
		items = append(items, wire.SessionOf(s, current))
	}
	return c.List(items)
}

// EndSession ends one of the caller's sessions.
func EndSession(c *web.Call) error {
	user, current, err := c.Own()
	if err != nil {
		return err
	}
	id, ok := identity.ParseID(c.ID)
	if !ok {
		return identity.NotFound("")
	}
	if id != current {
		if err := c.CheckFresh(); err != nil {
			return err
		}
	}
	if err := c.SignIn.Sessions.End(c.Context(), c.By(), user, id); err != nil {
		return err
	}
	return c.NoContent()
}

// EndSessions ends all sessions, or with ?except=current all others.
func EndSessions(c *web.Call) error {
	user, current, err := c.Own()
	if err != nil {
		return err
	}
	if err := c.CheckFresh(); err != nil {
		return err
	}
	var except identity.ID
	switch c.R.URL.Query().Get("except") {
	case "":
	case "current":
		except = current
	default:
		return identity.Invalid("except can only be current.")
	}
	if err := c.SignIn.Sessions.EndAll(c.Context(), c.By(), user, except, "signed_out_everywhere"); err != nil {
		return err
	}
	return c.NoContent()
}

// Session returns the state of the caller's session. Asking does not extend it (SE-10). Anonymous callers get an
// answer too, so that a waiting login page can poll it.
func Session(c *web.Call) error {
	if c.Entry == nil {
		return c.JSON(http.StatusOK, map[string]any{"authenticated": false})
	}
	p := c.Entry.Principal
	return c.JSON(http.StatusOK, map[string]any{"authenticated": true, "username": p.Username, "name": p.Name,
		"session_id": p.SessionID,
		"expires":    wire.Time(p.Expires), "auth_time": wire.Time(p.AuthTime), "amr": wire.Strings(p.AMR)})
}

// PasswordChange changes the caller's password.
func PasswordChange(c *web.Call) error {
	var in struct {
		Current string `json:"current_password"`
		New     string `json:"new_password"`
		Keep    bool   `json:"keep_other_sessions"`
	}
	if err := web.ReadJSON(c.R, &in); err != nil {
		return err
	}
	if err := c.SignIn.Passwords.CheckFresh(c.Context(), c.Entry.Principal); err != nil {
		return err
	}
	cookie, err := c.SignIn.Passwords.Change(c.Context(), c.By(), c.Address(), in.Current, in.New, in.Keep)
	if err != nil {
		return err
	}
	if c.Entry.Principal.Credential == identity.CredentialCookie {
		c.Browser().SetSession(cookie)
	}
	return c.NoContent()
}

// Export answers with the caller's own data as a file.
func Export(c *web.Call) error {
	user, session, err := c.Own()
	if err != nil {
		return err
	}
	data, err := c.People.Export(c.Context(), c.By())
	if err != nil {
		return err
	}
	return c.Attachment("my-data.json", wire.ExportOf(data, session, c.Browser().ThisDevice(user)))
}
