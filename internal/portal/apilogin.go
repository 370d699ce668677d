package portal

import (
	"encoding/json"
	"mime"
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// userJSON is a user in the API.
type userJSON struct {
	ID       string   `json:"id"`
	Username string   `json:"username"`
	Email    string   `json:"email"`
	Name     string   `json:"name"`
	Roles    []string `json:"roles"`
}

// defaultClient is the client_id of people who sign in themselves.
const defaultClient = "truxe"

// anonymous is the caller of a sign-in: whoever sends the request, it is not they who sign in.
func (c *call) anonymous() change.By {
	by := c.by()
	by.Principal = nil
	return by
}

func apiLogin(c *call) error {
	var in struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	signed, err := c.SignIn.SignIns.WithPassword(c.ctx(), signin.PasswordTry{Login: in.Username, Password: in.Password, Address: c.address(), Kind: kindAPI, By: c.anonymous()})
	if err != nil {
		return err
	}
	if signed.Half != nil {
		return c.mfaRequired(signed)
	}
	return c.authenticated(signed)
}

// mfaRequired answers a right password of somebody with a second factor: nobody is signed in, and mfa_token is good for
// the second step alone (R6). Where a factor is required and there is none, methods is empty and enrol names those that can
// be set up, here or at enrol_url in a browser.
func (c *call) mfaRequired(signed signin.SignedIn) error {
	out := map[string]any{"status": "mfa_required", "mfa_token": signed.MFAToken, "methods": notNil(signed.Half.Methods),
		"expires_in": max(0, int(signed.Half.Expires.Sub(c.Now()).Seconds()))}
	if len(signed.Half.Enrol) > 0 {
		out["enrol"], out["enrol_url"] = signed.Half.Enrol, c.Flows.LoginPage(c.host)
		if own, ok := c.Origins.Main(c.host); !c.elsewhere() && ok {
			out["enrol_url"] = own.String() + c.Flows.LoginPage(c.host)
		}
	}
	return c.json(http.StatusOK, out)
}

// authenticated answers a whole sign-in with tokens.
func (c *call) authenticated(signed signin.SignedIn) error {
	tokens, err := c.SignIn.Tokens.Start(c.ctx(), c.anonymous(), signed, defaultClient)
	if err != nil {
		return err
	}
	u := signed.User
	out := map[string]any{
		"status": "authenticated", "access_token": tokens.Access, "token_type": "Bearer", "expires_in": int(tokens.ExpiresIn.Seconds()),
		"refresh_token": tokens.Refresh, "session_id": signed.Session.ID.String(),
		"user": userJSON{ID: u.ID.String(), Username: u.Username, Email: u.Email, Name: u.Name, Roles: notNil(u.Roles)},
	}
	if len(signed.Codes) > 0 {
		out["recovery_codes"] = signed.Codes
	}
	if signed.RecoveryUsed {
		out["recovery_codes_left"] = signed.RecoveryLeft
	}
	return c.json(http.StatusOK, out)
}

// apiLoginMFA takes the second step of a sign-in at the API.
func apiLoginMFA(c *call) error {
	var in struct {
		Token   string          `json:"mfa_token"`
		Method  string          `json:"method"`
		Code    string          `json:"code"`
		Passkey json.RawMessage `json:"passkey"`
		Enrol   bool            `json:"enrol"`
		Name    string          `json:"name"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	key, err := apiHalf(in.Token)
	if err != nil {
		return err
	}
	step := signin.SecondStep{Key: key, Method: in.Method, Code: in.Code, Bound: in.Token, Enrol: in.Enrol, Name: in.Name, Address: c.address(), By: c.anonymous()}
	switch in.Method {
	case identity.MethodPasskey:
		if step.Passkey, err = passkeyAnswer(in.Passkey); err != nil {
			return err
		}
	case identity.MethodTOTP, identity.MethodRecovery:
		if err := apiCode(in.Method, in.Code); err != nil {
			return err
		}
	default:
		return bad("method can be totp, recovery_code or passkey.")
	}
	signed, err := c.SignIn.HalfSignIns.Complete(c.ctx(), step)
	if err != nil {
		return err
	}
	return c.authenticated(signed)
}

// apiHalf names the half sign-in of an mfa_token; what cannot be one is answered like one that is over.
func apiHalf(token string) (signin.HalfKey, error) {
	key, ok := signin.APIHalf(token)
	if !ok {
		return key, &identity.Error{Code: identity.CodeLoginRequired, Detail: "This sign-in is over. Begin again with login."}
	}
	return key, nil
}

// apiLoginEnrol begins with an authenticator app within a sign-in that must have one.
func apiLoginEnrol(c *call) error {
	var in struct {
		Token  string `json:"mfa_token"`
		Method string `json:"method"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	key, err := apiHalf(in.Token)
	if err != nil {
		return err
	}
	if in.Method != identity.MethodTOTP {
		return bad("method can be totp; for a passkey use login/passkey/begin with enrol.")
	}
	setup, err := c.SignIn.HalfSignIns.BeginTOTP(c.ctx(), key, c.host)
	if err != nil {
		return err
	}
	return c.totpJSON(setup)
}

func (c *call) totpJSON(setup signin.TOTPSetup) error {
	return c.json(http.StatusOK, map[string]any{"secret": setup.Key.Text(), "otpauth_uri": setup.URI,
		"expires_in": max(0, int(setup.Expires.Sub(c.Now())/time.Second))})
}

// apiPasskeySignInBegin gives the options of a sign-in with a passkey, alike for everybody (MF-18). A browser is known by
// its flow cookie, which is set when there is none; ?step= is for the pages of the second step.
func apiPasskeySignInBegin(c *call) error {
	var in struct {
		Token string `json:"mfa_token"`
		Enrol bool   `json:"enrol"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	begin := signin.PasskeyBegin{For: signin.PasskeySignIn, Host: c.host, By: c.anonymous()}
	step := c.r.URL.Query().Get("step")
	switch {
	case in.Token != "":
		key, err := apiHalf(in.Token)
		if err != nil {
			return err
		}
		begin.For, begin.Bound, begin.Half = signin.PasskeySecond, in.Token, &key
		if in.Enrol {
			begin.For = signin.PasskeyCreate
		}
	case in.Enrol:
		return bad("enrol goes with mfa_token.")
	case step == stepSecond, step == stepEnrol:
		begin.Bound = sentFlow(c.credential)
		if begin.Bound == "" {
			return &identity.Error{Code: identity.CodeLoginRequired}
		}
		key := signin.BrowserHalf(begin.Bound)
		begin.For, begin.Half = signin.PasskeySecond, &key
		if step == stepEnrol {
			begin.For = signin.PasskeyCreate
		}
	case step != "":
		return bad("step can be second or enrol.")
	default:
		begin.Bound = c.Flows.flow(c.w, c.credential)
	}
	return c.passkeyOptions(begin)
}

// Steps of a browser's half sign-in.
const (
	stepSecond = "second"
	stepEnrol  = "enrol"
)

func (c *call) passkeyOptions(begin signin.PasskeyBegin) error {
	options, err := c.SignIn.Challenges.Begin(c.ctx(), begin)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, options)
}

// apiPasskeySignInFinish signs in with the browser's answer and gives tokens; with ?step=enrol it ends the sign-in of a
// page that had to set a passkey up, and gives the browser its session.
func apiPasskeySignInFinish(c *call) error {
	raw, err := c.readRaw()
	if err != nil {
		return err
	}
	answer, err := passkeyAnswer(raw)
	if err != nil {
		return err
	}
	flow := sentFlow(c.credential)
	if flow == "" {
		return bad("The cookie " + authn.FlowCookie + ", which begin has set, did not come back.")
	}
	device, _ := c.credential.CookieNamed(authn.DeviceCookie)
	if c.r.URL.Query().Get("step") == stepEnrol {
		signed, err := c.SignIn.HalfSignIns.Complete(c.ctx(), signin.SecondStep{Key: signin.BrowserHalf(flow), Method: identity.MethodPasskey, Passkey: answer, Bound: flow,
			Enrol: true, Device: device, Address: c.address(), By: c.anonymous()})
		if err != nil {
			return err
		}
		c.endOldSession()
		c.signedIn(signed, signed.Session.Remember)
		return c.json(http.StatusOK, map[string]string{"status": "authenticated"})
	}
	signed, err := c.SignIn.SignIns.WithPasskey(c.ctx(), signin.PasskeyTry{Answer: answer, Bound: flow, Device: device, Kind: kindAPI, Address: c.address(), By: c.anonymous()})
	if err != nil {
		return err
	}
	return c.authenticated(signed)
}

// apiLogout ends the caller's session, or with {mfa_token} a half sign-in. A bearer token that does not verify is refused, so
// that a program learns that its session goes on, and no other user's cookie is signed out in its place.
func apiLogout(c *call) error {
	if c.entry != nil && c.passedOver == nil {
		if err := c.SignIn.Sessions.SignOut(c.ctx(), c.by()); err != nil {
			return err
		}
		c.dropHalf()
		c.signedOut()
		return c.noContent()
	}
	none := c.passedOver
	if none == nil {
		none = &identity.Error{Code: identity.CodeLoginRequired} // a session's token in a form signs nobody in, nor out (SE-19)
	}
	if media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || media != "application/json" || c.r.ContentLength == 0 {
		return none
	}
	var in struct {
		Token string `json:"mfa_token"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	if in.Token == "" {
		return none
	}
	key, err := apiHalf(in.Token)
	if err != nil {
		return err
	}
	if err := c.SignIn.HalfSignIns.StartOver(c.ctx(), key); err != nil {
		return err
	}
	return c.noContent()
}
