package portal

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/signin"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// renewed hands a browser its session's new secret after a change of factors.
func (c *call) renewed(changed signin.Changed) {
	if c.entry.Principal.Credential == identity.CredentialCookie {
		c.setSession(changed.Cookie)
	}
}

func apiTOTPBegin(c *call) error {
	if err := c.readEmpty(); err != nil {
		return err
	}
	setup, err := c.SignIn.Factors.BeginTOTP(c.ctx(), c.by())
	if err != nil {
		return err
	}
	return c.totpJSON(setup)
}

func apiTOTPConfirm(c *call) error {
	var in struct {
		Code string `json:"code"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	if err := apiCode(identity.MethodTOTP, in.Code); err != nil {
		return err
	}
	changed, _, err := c.SignIn.Factors.ConfirmTOTP(c.ctx(), c.by(), c.address(), in.Code)
	if err != nil {
		return err
	}
	c.renewed(changed)
	return c.json(http.StatusOK, map[string]any{"recovery_codes": notNil(changed.Codes)})
}

func apiTOTPRemove(c *call) error {
	changed, err := c.SignIn.Factors.RemoveTOTP(c.ctx(), c.by())
	if err != nil {
		return err
	}
	c.renewed(changed)
	return c.noContent()
}

func apiRecoveryCodes(c *call) error {
	if err := c.readEmpty(); err != nil {
		return err
	}
	changed, err := c.SignIn.Factors.NewRecoveryCodes(c.ctx(), c.by())
	if err != nil {
		return err
	}
	c.renewed(changed)
	return c.json(http.StatusOK, map[string]any{"recovery_codes": notNil(changed.Codes)})
}

// passkeyJSON is one of the caller's passkeys.
type passkeyJSON struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Host     string `json:"host"` // where it works
	Created  string `json:"created"`
	LastUsed string `json:"last_used"`
	Synced   bool   `json:"synced"`
	Suspect  bool   `json:"suspect"` // its counter went back: it may have been copied
}

func passkeyOut(p store.Passkey) passkeyJSON {
	return passkeyJSON{ID: p.ID.String(), Name: p.Name, Host: p.Host, Created: stamp(p.Created), LastUsed: stamp(p.LastUsed), Synced: p.BackedUp, Suspect: p.Suspect}
}

func apiPasskeys(c *call) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Factors.Passkeys(c.ctx(), user)
	if err != nil {
		return err
	}
	items := make([]passkeyJSON, 0, len(list))
	for _, p := range list {
		items = append(items, passkeyOut(p))
	}
	return c.json(http.StatusOK, map[string]any{"items": items, "next_cursor": ""})
}

func apiPasskeyBegin(c *call) error {
	if err := c.readEmpty(); err != nil {
		return err
	}
	return c.passkeyOptions(signin.PasskeyBegin{For: signin.PasskeyCreate, Host: c.host, Bound: c.entry.Principal.SessionID, By: c.by()})
}

// apiPasskeyFinish keeps a new passkey. The body is the browser's answer; ?name= names it.
func apiPasskeyFinish(c *call) error {
	raw, err := c.readRaw()
	if err != nil {
		return err
	}
	answer, err := passkeyAnswer(raw)
	if err != nil {
		return err
	}
	p, changed, err := c.SignIn.Factors.AddPasskey(c.ctx(), c.by(), answer, c.r.URL.Query().Get("name"))
	if err != nil {
		return err
	}
	c.renewed(changed)
	out := struct {
		passkeyJSON
		Codes []string `json:"recovery_codes,omitempty"`
	}{passkeyOut(p), changed.Codes}
	return c.json(http.StatusOK, out)
}

func apiPasskeyRename(c *call) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	id, ok := identity.ParseID(c.id)
	if !ok {
		return notFound()
	}
	if err := c.SignIn.Factors.RenamePasskey(c.ctx(), c.by(), id, in.Name); err != nil {
		return err
	}
	return c.noContent()
}

func apiPasskeyRemove(c *call) error {
	id, ok := identity.ParseID(c.id)
	if !ok {
		return notFound()
	}
	changed, err := c.SignIn.Factors.RemovePasskey(c.ctx(), c.by(), id)
	if err != nil {
		return err
	}
	c.renewed(changed)
	return c.noContent()
}

// deviceJSON is a browser that is not asked for a second factor.
type deviceJSON struct {
	ID        string `json:"id"`
	UserAgent string `json:"user_agent"`
	Created   string `json:"created"`
	LastUsed  string `json:"last_used"`
	Trusted   string `json:"trusted_until"`
	Current   bool   `json:"current"`
}

func deviceOut(d store.Device, here identity.ID) deviceJSON {
	return deviceJSON{ID: d.ID.String(), UserAgent: d.UserAgent, Created: stamp(d.Created), LastUsed: stamp(d.LastUsed), Trusted: stamp(d.Trusted),
		Current: d.ID == here && !here.IsZero()}
}

func apiDevices(c *call) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Devices.Trusted(c.ctx(), user)
	if err != nil {
		return err
	}
	here := c.thisDevice(user)
	items := make([]deviceJSON, 0, len(list))
	for _, d := range list {
		items = append(items, deviceOut(d, here))
	}
	return c.json(http.StatusOK, map[string]any{"items": items, "next_cursor": ""})
}

func apiForgetDevice(c *call) error {
	id, ok := identity.ParseID(c.id)
	if !ok || id.IsZero() {
		return notFound()
	}
	return c.forget(id)
}

func apiForgetDevices(c *call) error { return c.forget(identity.ID{}) }

func (c *call) forget(id identity.ID) error {
	if err := c.SignIn.Devices.Forget(c.ctx(), c.by(), id); err != nil {
		return err
	}
	return c.noContent()
}

// apiConfirmMethods says how the caller can confirm what changes of factors and sessions ask for.
func apiConfirmMethods(c *call) error {
	a, err := c.asked("")
	if err != nil {
		return err
	}
	methods, missing, err := c.SignIn.Confirmations.Methods(c.ctx(), c.by(), a.ask, c.host)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{"methods": notNil(methods), "missing": missing, "fresh": a.met})
}

// apiConfirm proves a factor again, so that a program can do what asks for step_up_required. A browser gets its session's
// new secret; a bearer token tells of it after its next refresh.
func apiConfirm(c *call) error {
	var in struct {
		Method   string          `json:"method"`
		Password string          `json:"password"`
		Code     string          `json:"code"`
		Passkey  json.RawMessage `json:"passkey"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	step := signin.ConfirmStep{Method: in.Method, Password: in.Password, Code: in.Code, Address: c.address(), By: c.by()}
	switch in.Method {
	case view.MethodPassword, view.MethodTOTP, view.MethodRecovery:
		if err := apiCode(in.Method, in.Code); err != nil {
			return err
		}
	case view.MethodPasskey:
		var err error
		if step.Passkey, err = passkeyAnswer(in.Passkey); err != nil {
			return err
		}
	default:
		return bad("method can be password, totp, passkey or recovery_code.")
	}
	cookie, err := c.SignIn.Confirmations.Confirm(c.ctx(), step)
	if err != nil {
		return err
	}
	c.renewed(signin.Changed{Cookie: cookie})
	return c.json(http.StatusOK, map[string]any{"status": "confirmed", "fresh_for": int(change.FreshFor / time.Second)})
}

func apiConfirmPasskeyBegin(c *call) error {
	if err := c.readEmpty(); err != nil {
		return err
	}
	return c.passkeyOptions(signin.PasskeyBegin{For: signin.PasskeyConfirm, Host: c.host, Bound: c.entry.Principal.SessionID, By: c.by()})
}
