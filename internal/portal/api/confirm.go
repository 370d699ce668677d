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
// new secret; a bearer token shows it after its next refresh.
func Confirm(c *web.Call) error {
	var in struct {
		Method   string          `json:"method"`
		Password string          `json:"password"`
		Code     string          `json:"code"`
		Passkey  json.RawMessage `json:"passkey"`
	}
	if err := web.ReadJSON(c.R, &in); err != nil {
		return err
	}
	step := signin.ConfirmStep{Method: in.Method, Password: in.Password, Code: in.Code, Address: c.Address(),
		By: c.By()}
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
		return identity.Invalid("method can be password, totp, passkey or recovery_code.")
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
	if err := web.ReadEmpty(c.R); err != nil {
		return err
	}
	return passkeyOptions(c, signin.PasskeyBegin{For: signin.PasskeyConfirm, Host: c.Host,
		Bound: c.Entry.Principal.SessionID, By: c.By()})
}
