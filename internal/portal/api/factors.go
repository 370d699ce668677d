package api

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/portal/wire"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// renewed hands a browser its session's new secret after a change of factors.
func renewed(c *web.Call, changed signin.Changed) {
	if c.Entry.Principal.Credential == identity.CredentialCookie {
		c.Browser().SetSession(changed.Cookie)
	}
}

// TOTPBegin returns the key of the caller's new authenticator app.
func TOTPBegin(c *web.Call) error {
	if err := web.ReadEmpty(c.R); err != nil {
		return err
	}
	setup, err := c.SignIn.Factors.BeginTOTP(c.Context(), c.By())
	if err != nil {
		return err
	}
	return totpJSON(c, setup)
}

// TOTPConfirm takes the first code of a new authenticator app, which works from then on.
func TOTPConfirm(c *web.Call) error {
	var in struct {
		Code string `json:"code"`
	}
	if err := web.ReadJSON(c.R, &in); err != nil {
		return err
	}
	if err := web.ExactCode(identity.MethodTOTP, in.Code); err != nil {
		return err
	}
	changed, _, err := c.SignIn.Factors.ConfirmTOTP(c.Context(), c.By(), c.Address(), in.Code)
	if err != nil {
		return err
	}
	renewed(c, changed)
	return c.JSON(http.StatusOK, map[string]any{"recovery_codes": wire.Strings(changed.Codes)})
}

// TOTPRemove removes the caller's authenticator app.
func TOTPRemove(c *web.Call) error {
	changed, err := c.SignIn.Factors.RemoveTOTP(c.Context(), c.By())
	if err != nil {
		return err
	}
	renewed(c, changed)
	return c.NoContent()
}

// RecoveryCodes replaces the caller's recovery codes and returns the new ones.
func RecoveryCodes(c *web.Call) error {
	if err := web.ReadEmpty(c.R); err != nil {
		return err
	}
	changed, err := c.SignIn.Factors.NewRecoveryCodes(c.Context(), c.By())
	if err != nil {
		return err
	}
	renewed(c, changed)
	return c.JSON(http.StatusOK, map[string]any{"recovery_codes": wire.Strings(changed.Codes)})
}
