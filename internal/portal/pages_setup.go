package portal

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

func pageSetup(c *call) error {
	if err := c.needsSetup(); err != nil {
		return err
	}
	c.Flows.flow(c.w, c.credential)
	c.View.Render(c.w, c.r, http.StatusOK, view.Setup{MinLength: c.People.PasswordPolicy.MinLength})
	return nil
}

func (c *call) needsSetup() error {
	needs, err := c.People.NeedsSetup(c.ctx())
	if err == nil && !needs {
		err = people.ErrSetUp
	}
	return err
}

// submitSetup creates the first administrator and signs them in; where a second factor is required it is set up next.
func submitSetup(c *call) error {
	if err := c.needsSetup(); err != nil {
		return err
	}
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	page := view.Setup{Token: form.Get(view.FieldToken), Username: form.Get(view.FieldUsername), Email: form.Get(view.FieldEmail),
		Name: form.Get(view.FieldName), MinLength: c.People.PasswordPolicy.MinLength}
	password := form.Get(view.FieldNew)
	_, err = c.People.Setup(c.ctx(), c.by(), page.Token, people.NewUser{Username: page.Username, Email: page.Email, Name: page.Name, Password: password})
	if err != nil {
		return c.formFailed(err, view.FieldNew, func(problems []view.Problem, _ view.Wait, status int) {
			page.Problems = problems
			c.View.Render(c.w, c.r, status, page)
		})
	}
	flow := sentFlow(c.credential)
	signed, err := c.SignIn.SignIns.WithPassword(c.ctx(), signin.PasswordTry{Login: page.Username, Password: password, Address: c.address(), Flow: flow, Kind: kindBrowser, By: c.by()})
	switch {
	case err != nil, signed.Half != nil && flow == "":
		c.redirect(http.StatusSeeOther, c.Base+"/login")
		return nil //nolint:nilerr // the account exists; signing in by hand says what is wrong
	case signed.Half != nil:
		c.redirect(http.StatusSeeOther, c.Base+"/mfa")
		return nil
	}
	c.signedIn(signed, false)
	c.redirect(http.StatusSeeOther, c.Base+"/?welcome=1")
	return nil
}
