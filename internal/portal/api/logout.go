package api

import (
	"mime"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// Logout ends the caller's session, or with {mfa_token} a half sign-in. A bearer token that does not verify is refused,
// so that a program learns that its session goes on, and no other user's cookie is signed out in its place.
func Logout(c *web.Call) error {
	if c.Entry != nil && c.PassedOver == nil {
		if err := c.SignIn.Sessions.SignOut(c.Context(), c.By()); err != nil {
			return err
		}
		c.Browser().DropHalf()
		c.Browser().SignedOut()
		return c.NoContent()
	}
	none := c.PassedOver
	if none == nil {
		none = identity.LoginRequired("") // a session's token in a form signs no one in or out (SE-19)
	}
	if media, _, err := mime.ParseMediaType(c.R.Header.Get("Content-Type")); err != nil ||
		media != "application/json" ||
		c.R.ContentLength == 0 {
		return none
	}
	var in struct {
		Token string `json:"mfa_token"`
	}
	if err := web.ReadJSON(c.R, &in); err != nil {
		return err
	}
	if in.Token == "" {
		return none
	}
	key, err := apiHalf(in.Token)
	if err != nil {
		return err
	}
	if err := c.SignIn.HalfSignIns.StartOver(c.Context(), key); err != nil {
		return err
	}
	return c.NoContent()
}
