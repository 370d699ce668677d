package pages

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// Setup shows the form of the first administrator.
func Setup(c *web.Call) error {
	if err := needsSetup(c); err != nil {
		return err
	}
	c.Flows.Cookie(c.W, c.Credential)
	c.Render(http.StatusOK, view.Setup{MinLength: c.People.PasswordPolicy.MinLength})
	return nil
}

func needsSetup(c *web.Call) error {
	needs, err := c.People.NeedsSetup(c.Context())
	if err == nil && !needs {
		err = people.ErrSetUp
	}
	return err
}

// SubmitSetup creates the first administrator and signs them in; where a second factor is required it is set up next.
func SubmitSetup(c *web.Call) error {
	if err := needsSetup(c); err != nil {
		return err
	}
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	page := view.Setup{Token: form.Get(view.FieldToken), Username: form.Get(view.FieldUsername),
		Email: form.Get(view.FieldEmail),
		Name:  form.Get(view.FieldName), MinLength: c.People.PasswordPolicy.MinLength}
	password := form.Get(view.FieldNew)
	_, err = c.People.Setup(c.Context(), c.By(), page.Token, people.NewUser{Username: page.Username, Email: page.Email,
		Name: page.Name, Password: password})
	if err != nil {
		return c.FormFailed(err, view.FieldNew, func(problems []view.Problem, _ view.Wait, status int) {
			page.Problems = problems
			c.Render(status, page)
		})
	}
	flow := c.Browser().FlowCookie()
	signed, err := c.SignIn.SignIns.WithPassword(c.Context(), signin.PasswordTry{Login: page.Username,
		Password: password, Address: c.Address(), Flow: flow, Kind: session.Browser, By: c.By()})
	switch {
	case err != nil, signed.Half != nil && flow == "":
		c.Redirect(http.StatusSeeOther, c.Base+"/login")
		return nil //nolint:nilerr // the account exists; signing in by hand says what is wrong
	case signed.Half != nil:
		c.Redirect(http.StatusSeeOther, c.Base+"/mfa")
		return nil
	}
	c.Browser().SignedIn(signed, false)
	c.Redirect(http.StatusSeeOther, c.Base+"/?welcome=1")
	return nil
}
