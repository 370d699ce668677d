package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/portal/wire"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
)

// defaultClient is the client_id of users who sign in themselves.
const defaultClient = "truxe"

// Login takes the first step of a sign-in of a program.
func Login(c *web.Call) error {
	var in struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := web.ReadJSON(c.R, &in); err != nil {
		return err
	}
	signed, err := c.SignIn.SignIns.WithPassword(c.Context(),
		signin.PasswordTry{Login: in.Username, Password: in.Password, Address: c.Address(), Kind: session.API,
			By: c.Anonymous()})
	if err != nil {
		return err
	}
	if signed.Half != nil {
		return mfaRequired(c, signed)
	}
	return authenticated(c, signed)
}

// mfaRequired answers a right password of a user with a second factor: no one is signed in, and mfa_token is good for
// the second step alone (R6). Where a factor is required and there is none, methods is empty and enrol names those that
// can be set up, here or at enrol_url in a browser.
func mfaRequired(c *web.Call, signed signin.SignedIn) error {
	out := map[string]any{"status": "mfa_required", "mfa_token": signed.MFAToken,
		"methods":    wire.Strings(signed.Half.Methods),
		"expires_in": max(0, int(signed.Half.Expires.Sub(c.Now()).Seconds()))}
	if len(signed.Half.Enrol) > 0 {
		out["enrol"], out["enrol_url"] = signed.Half.Enrol, c.Flows.LoginPage(c.Host)
		if own, ok := c.Origins.Main(c.Host); !c.Elsewhere() && ok {
			out["enrol_url"] = own.String() + c.Flows.LoginPage(c.Host)
		}
	}
	return c.JSON(http.StatusOK, out)
}

// authenticated answers a whole sign-in with tokens.
func authenticated(c *web.Call, signed signin.SignedIn) error {
	tokens, err := c.SignIn.Tokens.Start(c.Context(), c.Anonymous(), signed.Session, signed.User, defaultClient)
	if err != nil {
		return err
	}
	u := signed.User
	out := map[string]any{
		"status": "authenticated", "access_token": tokens.Access, "token_type": "Bearer",
		"expires_in":    int(tokens.ExpiresIn.Seconds()),
		"refresh_token": tokens.Refresh, "session_id": signed.Session.ID.String(),
		"user": wire.User{ID: u.ID.String(), Username: u.Username, Email: u.Email, Name: u.Name,
			Roles: wire.Strings(u.Roles)},
	}
	if len(signed.Codes) > 0 {
		out["recovery_codes"] = signed.Codes
	}
	if signed.RecoveryUsed {
		out["recovery_codes_left"] = signed.RecoveryLeft
	}
	return c.JSON(http.StatusOK, out)
}

// LoginMFA takes the second step of a sign-in at the API.
func LoginMFA(c *web.Call) error {
	var in struct {
		Token   string          `json:"mfa_token"`
		Method  string          `json:"method"`
		Code    string          `json:"code"`
		Passkey json.RawMessage `json:"passkey"`
		Enrol   bool            `json:"enrol"`
		Name    string          `json:"name"`
	}
	if err := web.ReadJSON(c.R, &in); err != nil {
		return err
	}
	key, err := apiHalf(in.Token)
	if err != nil {
		return err
	}
	step := signin.SecondStep{Key: key, Method: in.Method, Code: in.Code, Bound: in.Token, Enrol: in.Enrol,
		Name:    in.Name,
		Address: c.Address(), By: c.Anonymous()}
	switch in.Method {
	case identity.MethodPasskey:
		if step.Passkey, err = web.PasskeyAnswer(in.Passkey); err != nil {
			return err
		}
	case identity.MethodTOTP, identity.MethodRecovery:
		if err := web.ExactCode(in.Method, in.Code); err != nil {
			return err
		}
	default:
		return identity.Invalid("method can be totp, recovery_code or passkey.")
	}
	signed, err := c.SignIn.HalfSignIns.Complete(c.Context(), step)
	if err != nil {
		return err
	}
	return authenticated(c, signed)
}

// apiHalf names the half sign-in of an mfa_token; what cannot be one is answered like one that is over.
func apiHalf(token string) (signin.HalfKey, error) {
	key, ok := signin.APIHalf(token)
	if !ok {
		return key, identity.LoginRequired("This sign-in is over. Begin again with login.")
	}
	return key, nil
}

// LoginEnrol begins with an authenticator app within a sign-in that must have one.
func LoginEnrol(c *web.Call) error {
	var in struct {
		Token  string `json:"mfa_token"`
		Method string `json:"method"`
	}
	if err := web.ReadJSON(c.R, &in); err != nil {
		return err
	}
	key, err := apiHalf(in.Token)
	if err != nil {
		return err
	}
	if in.Method != identity.MethodTOTP {
		return identity.Invalid("method can be totp; for a passkey use login/passkey/begin with enrol.")
	}
	setup, err := c.SignIn.HalfSignIns.BeginTOTP(c.Context(), key, c.Host)
	if err != nil {
		return err
	}
	return totpJSON(c, setup)
}

func totpJSON(c *web.Call, setup secondfactor.Setup) error {
	return c.JSON(http.StatusOK, map[string]any{"secret": setup.Key.Text(), "otpauth_uri": setup.URI,
		"expires_in": max(0, int(setup.Expires.Sub(c.Now())/time.Second))})
}
