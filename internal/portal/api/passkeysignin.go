package api

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// Steps of a browser's half sign-in.
const (
	stepSecond = "second"
	stepEnrol  = "enrol"
)

// PasskeySignInBegin returns the options of a sign-in with a passkey, the same for every user (MF-18). A browser is
// known by its flow cookie, which is set when there is none; ?step= is for the pages of the second step.
func PasskeySignInBegin(c *web.Call) error {
	var in struct {
		Token string `json:"mfa_token"`
		Enrol bool   `json:"enrol"`
	}
	if err := web.ReadJSON(c.R, &in); err != nil {
		return err
	}
	begin := signin.PasskeyBegin{For: signin.PasskeySignIn, Host: c.Host, By: c.Anonymous()}
	step := c.R.URL.Query().Get("step")
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
		return identity.Invalid("enrol goes with mfa_token.")
	case step == stepSecond, step == stepEnrol:
		begin.Bound = c.Browser().FlowCookie()
		if begin.Bound == "" {
			return identity.LoginRequired("")
		}
		key := signin.BrowserHalf(begin.Bound)
		begin.For, begin.Half = signin.PasskeySecond, &key
		if step == stepEnrol {
			begin.For = signin.PasskeyCreate
		}
	case step != "":
		return identity.Invalid("step can be second or enrol.")
	default:
		begin.Bound = c.Flows.Cookie(c.W, c.Credential)
	}
	return passkeyOptions(c, begin)
}

func passkeyOptions(c *web.Call, begin signin.PasskeyBegin) error {
	options, err := c.SignIn.Challenges.Begin(c.Context(), begin)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, options)
}

// PasskeySignInFinish signs in with the browser's answer and returns tokens; with ?step=enrol it ends the sign-in of a
// page that had to set a passkey up, and sets the browser's session.
func PasskeySignInFinish(c *web.Call) error {
	answer, err := web.ReadPasskeyAnswer(c.R)
	if err != nil {
		return err
	}
	flow := c.Browser().FlowCookie()
	if flow == "" {
		return identity.Invalid("The cookie " + authn.FlowCookie + ", which begin has set, did not come back.")
	}
	device := c.Browser().DeviceCookie()
	if c.R.URL.Query().Get("step") == stepEnrol {
		signed, err := c.SignIn.HalfSignIns.Complete(c.Context(),
			signin.SecondStep{Key: signin.BrowserHalf(flow), Method: identity.MethodPasskey, Passkey: answer,
				Bound: flow,
				Enrol: true, Device: device, Address: c.Address(), By: c.Anonymous()})
		if err != nil {
			return err
		}
		c.Browser().EndOldSession()
		c.Browser().SignedIn(signed, signed.Session.Remember)
		return c.JSON(http.StatusOK, map[string]string{"status": "authenticated"})
	}
	signed, err := c.SignIn.SignIns.WithPasskey(c.Context(),
		signin.PasskeyTry{Answer: answer, Bound: flow, Device: device, Kind: session.API, Address: c.Address(),
			By: c.Anonymous()})
	if err != nil {
		return err
	}
	return authenticated(c, signed)
}
