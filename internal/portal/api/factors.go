package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/portal/wire"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// renewed hands a browser its session's new secret after a change of factors.
func renewed(c *web.Call, changed signin.Changed) {
	if c.Entry.Principal.Credential == identity.CredentialCookie {
		c.SetSession(changed.Cookie)
	}
}

// TOTPBegin returns the key of the caller's new authenticator app.
func TOTPBegin(c *web.Call) error {
	if err := c.ReadEmpty(); err != nil {
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
	if err := c.ReadJSON(&in); err != nil {
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
	if err := c.ReadEmpty(); err != nil {
		return err
	}
	changed, err := c.SignIn.Factors.NewRecoveryCodes(c.Context(), c.By())
	if err != nil {
		return err
	}
	renewed(c, changed)
	return c.JSON(http.StatusOK, map[string]any{"recovery_codes": wire.Strings(changed.Codes)})
}

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
	if err := c.ReadEmpty(); err != nil {
		return err
	}
	return passkeyOptions(c, signin.PasskeyBegin{For: signin.PasskeyCreate, Host: c.Host, Bound: c.Entry.Principal.SessionID, By: c.By()})
}

// PasskeyFinish keeps a new passkey. The body is the browser's answer; ?name= names it.
func PasskeyFinish(c *web.Call) error {
	raw, err := c.ReadObject()
	if err != nil {
		return err
	}
	answer, err := web.PasskeyAnswer(raw)
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
	if err := c.ReadJSON(&in); err != nil {
		return err
	}
	id, ok := identity.ParseID(c.ID)
	if !ok {
		return web.NotFound()
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
		return web.NotFound()
	}
	changed, err := c.SignIn.Factors.RemovePasskey(c.Context(), c.By(), id)
	if err != nil {
		return err
	}
	renewed(c, changed)
	return c.NoContent()
}

// Devices lists the browsers that are not asked for the caller's second factor.
func Devices(c *web.Call) error {
	user, _, err := c.Own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Devices.Trusted(c.Context(), user)
	if err != nil {
		return err
	}
	here := c.ThisDevice(user)
	items := make([]wire.Device, 0, len(list))
	for _, d := range list {
		items = append(items, wire.DeviceOf(d, here))
	}
	return c.List(items)
}

// ForgetDevice ends the trust in one browser.
func ForgetDevice(c *web.Call) error {
	id, ok := identity.ParseID(c.ID)
	if !ok || id.IsZero() {
		return web.NotFound()
	}
	return forget(c, id)
}

// ForgetDevices ends the trust in all browsers.
func ForgetDevices(c *web.Call) error { return forget(c, identity.ID{}) }

func forget(c *web.Call, id identity.ID) error {
	if err := c.SignIn.Devices.Forget(c.Context(), c.By(), id); err != nil {
		return err
	}
	return c.NoContent()
}

// ConfirmMethods says how the caller can confirm what changes of factors and sessions ask for.
func ConfirmMethods(c *web.Call) error {
	err := c.CheckFresh()
	ask, due := web.StepUp(err)
	if err != nil && !due {
		return err
	}
	methods, missing, err := c.SignIn.Confirmations.Methods(c.Context(), c.By(), ask, c.Host)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"methods": wire.Strings(methods), "missing": missing, "fresh": !due})
}

// Confirm proves a factor again, so that a program can do what asks for step_up_required. A browser gets its session's
// new secret; a bearer token tells of it after its next refresh.
func Confirm(c *web.Call) error {
	var in struct {
		Method   string          `json:"method"`
		Password string          `json:"password"`
		Code     string          `json:"code"`
		Passkey  json.RawMessage `json:"passkey"`
	}
	if err := c.ReadJSON(&in); err != nil {
		return err
	}
	step := signin.ConfirmStep{Method: in.Method, Password: in.Password, Code: in.Code, Address: c.Address(), By: c.By()}
	switch in.Method {
	case identity.MethodPassword, identity.MethodTOTP, identity.MethodRecovery:
		if err := web.ExactCode(in.Method, in.Code); err != nil {
			return err
		}
	case identity.MethodPasskey:
		var err error
		if step.Passkey, err = web.PasskeyAnswer(in.Passkey); err != nil {
			return err
		}
	default:
		return web.BadRequest("method can be password, totp, passkey or recovery_code.")
	}
	cookie, err := c.SignIn.Confirmations.Confirm(c.Context(), step)
	if err != nil {
		return err
	}
	renewed(c, signin.Changed{Cookie: cookie})
	return c.JSON(http.StatusOK, map[string]any{"status": "confirmed", "fresh_for": int(change.FreshFor / time.Second)})
}

// ConfirmPasskeyBegin returns the options of a confirmation with a passkey.
func ConfirmPasskeyBegin(c *web.Call) error {
	if err := c.ReadEmpty(); err != nil {
		return err
	}
	return passkeyOptions(c, signin.PasskeyBegin{For: signin.PasskeyConfirm, Host: c.Host, Bound: c.Entry.Principal.SessionID, By: c.By()})
}
