package pages

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// Launcher lists the apps this user may open.
func Launcher(c *web.Call) error {
	query := c.R.URL.Query()
	if query.Get("welcome") != "" && c.Entry.Principal.HasRole(identity.AdminRole) {
		c.Render(http.StatusOK, view.SetupDone{Viewer: c.Viewer(), Host: c.R.Host})
		return nil
	}
	page := view.Launcher{Viewer: c.Viewer(), FlowGone: query.Get("gone") != ""}
	for _, app := range c.Apps() {
		page.Apps = append(page.Apps, view.App{Name: app.Site.Name, Host: app.Site.Host, URL: app.URL,
			Description: app.Site.Description, Icon: app.Site.Icon, StepUp: app.StepUp})
	}
	c.Render(http.StatusOK, page)
	return nil
}

// recentEvents is how many events the account page shows.
const recentEvents = 5

// Account shows what the account has: profile, factors, sessions, recent events.
func Account(c *web.Call) error {
	user, _, err := c.Own()
	if err != nil {
		return err
	}
	profile, err := c.People.Profile(c.Context(), user)
	if err != nil {
		return err
	}
	factors, err := c.SignIn.Factors.Of(c.Context(), user, c.Host)
	if err != nil {
		return err
	}
	recent, err := events(c, user, 0, recentEvents)
	if err != nil {
		return err
	}
	u := profile.User
	c.Render(http.StatusOK, view.Account{Viewer: c.ViewerNamed(u.Username, u.Name), Email: u.Email, Roles: u.Roles,
		PasswordChanged: u.PasswordChanged, LastSignIn: c.Entry.Principal.AuthTime, Sessions: profile.Sessions,
		Managed: u.Managed != "",
		Factors: &view.Factors{TOTP: factors.TOTP, Passkeys: factors.Passkeys, RecoveryLeft: factors.RecoveryLeft,
			RecoveryMade:   factors.RecoveryMade,
			TrustedDevices: factors.TrustedDevices, Required: c.SignIn.Factors.Required(u.User),
			Default: factors.Preferred},
		Recent: recent, Saved: c.R.URL.Query().Get("saved") != ""})
	return nil
}

// SubmitAccount keeps the method that is asked for first.
func SubmitAccount(c *web.Call) error {
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	if form.Get(view.FieldAction) != view.ActionDefault {
		return identity.Invalid("This form has no such action.")
	}
	if err := c.SignIn.Factors.SetPreferred(c.Context(), c.By(), form.Get(view.FieldMethod)); err != nil {
		return c.AskFirst(err, web.ForMethod)
	}
	c.Redirect(http.StatusSeeOther, c.Base+"/account?saved=1")
	return nil
}

// Password shows the form of a new password.
func Password(c *web.Call) error {
	if c.R.URL.Query().Get("changed") == "" {
		if err := c.SignIn.Passwords.CheckFresh(c.Context(), c.Entry.Principal); err != nil {
			return c.AskFirst(err, web.ForPassword)
		}
	}
	return password(c, http.StatusOK, view.PasswordChange{Changed: c.R.URL.Query().Get("changed") != ""})
}

func password(c *web.Call, status int, page view.PasswordChange) error {
	user, _, err := c.Own()
	if err != nil {
		return err
	}
	page.Viewer = c.Viewer()
	if page.MinLength, err = shortestPassword(c, user); err != nil {
		return err
	}
	c.Render(status, page)
	return nil
}

// shortestPassword returns the least length of a password, which is shorter for a user who has a second factor (NIST SP
// 800-63B-4 3.1.1.2).
func shortestPassword(c *web.Call, user identity.ID) (int, error) {
	policy := c.People.PasswordPolicy
	if policy.MinLengthWithMFA == 0 {
		return policy.MinLength, nil
	}
	factors, err := c.SignIn.Factors.Of(c.Context(), user, c.Host)
	if err == nil && factors.Any() {
		return policy.MinLengthWithMFA, nil
	}
	return policy.MinLength, err
}

// SubmitPassword changes the password.
func SubmitPassword(c *web.Call) error {
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	if err := c.SignIn.Passwords.CheckFresh(c.Context(), c.Entry.Principal); err != nil {
		return c.AskFirst(err, web.ForPassword)
	}
	keep := form.Get(view.FieldSignOut) != "on"
	cookie, err := c.SignIn.Passwords.Change(c.Context(), c.By(), c.Address(), form.Get(view.FieldCurrent),
		form.Get(view.FieldNew), keep)
	if err != nil {
		var failed error
		return first(c.FormFailed(err, view.FieldCurrent, func(problems []view.Problem, wait view.Wait, status int) {
			failed = password(c, status, view.PasswordChange{Problems: problems, Wait: wait, KeepOthers: keep})
		}), &failed)
	}
	c.Browser().SetSession(cookie)
	c.Redirect(http.StatusSeeOther, c.Base+"/account/password?changed=1")
	return nil
}

// first returns err, or else what a page that was shown for it failed with.
func first(err error, shown *error) error {
	if err != nil {
		return err
	}
	return *shown
}
