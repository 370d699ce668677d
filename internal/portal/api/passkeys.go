package api

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/portal/wire"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// Passkeys lists the caller's passkeys.
func Passkeys(c *web.Call) error {
	user, _, err := c.Own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Factors.Passkeys(c.Context(), user)
	if err != nil {
		return err
	}
	items := make([]wire.Passkey, 0, len(list))
	for _, p := range list {
		items = append(items, wire.PasskeyOf(p))
	}
	return c.List(items)
}

// PasskeyBegin returns the options of a new passkey.
func PasskeyBegin(c *web.Call) error {
	if err := web.ReadEmpty(c.R); err != nil {
		return err
	}
	return passkeyOptions(c, signin.PasskeyBegin{For: signin.PasskeyCreate, Host: c.Host,
		Bound: c.Entry.Principal.SessionID, By: c.By()})
}

// PasskeyFinish keeps a new passkey. The body is the browser's answer; ?name= names it.
func PasskeyFinish(c *web.Call) error {
	answer, err := web.ReadPasskeyAnswer(c.R)
	if err != nil {
		return err
	}
	p, changed, err := c.SignIn.Factors.AddPasskey(c.Context(), c.By(), answer, c.R.URL.Query().Get("name"))
	if err != nil {
		return err
	}
	renewed(c, changed)
	out := struct {
		wire.Passkey
		Codes []string `json:"recovery_codes,omitempty"`
	}{wire.PasskeyOf(p), changed.Codes}
	return c.JSON(http.StatusOK, out)
}

// PasskeyRename renames a passkey.
func PasskeyRename(c *web.Call) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := web.ReadJSON(c.R, &in); err != nil {
		return err
	}
	id, ok := identity.ParseID(c.ID)
	if !ok {
		return identity.NotFound("")
	}
	if err := c.SignIn.Factors.RenamePasskey(c.Context(), c.By(), id, in.Name); err != nil {
		return err
	}
	return c.NoContent()
}

// PasskeyRemove removes a passkey.
func PasskeyRemove(c *web.Call) error {
	id, ok := identity.ParseID(c.ID)
	if !ok {
		return identity.NotFound("")
	}
	changed, err := c.SignIn.Factors.RemovePasskey(c.Context(), c.By(), id)
	if err != nil {
		return err
	}
	renewed(c, changed)
	return c.NoContent()
}
