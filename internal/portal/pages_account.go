package portal

import (
	"net/http"
	"net/url"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

func (c *call) viewer() view.Viewer {
	if c.entry == nil {
		return view.Viewer{}
	}
	return c.viewerNamed(c.entry.Principal.Username, c.entry.Principal.Name)
}

// viewerNamed is the caller with names that may be newer than the session's. A zone that cannot be read is none: the page
// then shows the device's own time.
func (c *call) viewerNamed(username, name string) view.Viewer {
	v := view.Viewer{Username: username, Name: name}
	if user, ok := identity.ParseID(c.entry.Principal.UserID); ok {
		v.Zone, _ = c.People.TimeZone(c.ctx(), user)
	}
	return v
}

// pageForm reads a page's form; browsers send nothing else.
func (c *call) pageForm() (url.Values, error) {
	form, err := c.readForm()
	if err != nil {
		return nil, err
	}
	values := url.Values{}
	for name, value := range form {
		values.Set(name, value)
	}
	return values, nil
}

// pageLauncher lists the apps this person may open.
func pageLauncher(c *call) error {
	query := c.r.URL.Query()
	if query.Get("welcome") != "" && c.entry.Principal.HasRole(identity.AdminRole) {
		c.View.Render(c.w, c.r, http.StatusOK, view.SetupDone{Viewer: c.viewer(), Host: c.r.Host})
		return nil
	}
	page := view.Launcher{Viewer: c.viewer(), FlowGone: query.Get("gone") != ""}
	for _, app := range c.apps() {
		page.Apps = append(page.Apps, view.App{Name: app.site.Name, Host: app.site.Host, URL: app.url, Description: app.site.Description, Icon: app.site.Icon, StepUp: app.stepUp})
	}
	c.View.Render(c.w, c.r, http.StatusOK, page)
	return nil
}

// recentEvents is how many events the account page shows.
const recentEvents = 5

func pageAccount(c *call) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	profile, err := c.People.Profile(c.ctx(), user)
	if err != nil {
		return err
	}
	factors, err := c.SignIn.Factors.Of(c.ctx(), user, c.host)
	if err != nil {
		return err
	}
	recent, err := c.events(user, 0, recentEvents)
	if err != nil {
		return err
	}
	u := profile.User
	c.View.Render(c.w, c.r, http.StatusOK, view.Account{Viewer: c.viewerNamed(u.Username, u.Name), Email: u.Email, Roles: u.Roles,
		PasswordChanged: u.PasswordChanged, LastSignIn: c.entry.Principal.AuthTime, Sessions: profile.Sessions, Managed: u.Managed != "",
		Factors: &view.Factors{TOTP: factors.TOTP, Passkeys: factors.Passkeys, RecoveryLeft: factors.RecoveryLeft, RecoveryMade: factors.RecoveryMade,
			TrustedDevices: factors.TrustedDevices, Required: c.SignIn.Factors.Required(u.User), Default: factors.Preferred},
		Recent: recent, Saved: c.r.URL.Query().Get("saved") != ""})
	return nil
}

// submitAccount keeps the method that is asked for first.
func submitAccount(c *call) error {
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	if form.Get(view.FieldAction) != view.ActionDefault {
		return bad("This form has no such action.")
	}
	if err := c.SignIn.Factors.SetPreferred(c.ctx(), c.by(), form.Get(view.FieldMethod)); err != nil {
		return c.askFirst(err, forMethod)
	}
	c.redirect(http.StatusSeeOther, c.Base+"/account?saved=1")
	return nil
}

// formFailed turns an error into words at the form, or passes it on.
func (c *call) formFailed(err error, passwordField string, show func([]view.Problem, view.Wait, int)) error {
	known, ok := asError(err)
	if !ok {
		return err
	}
	c.rateFields(err)
	status := problem.Status(known.Code)
	switch known.Code {
	case identity.CodeInvalidCredentials:
		show([]view.Problem{{Field: passwordField, Key: "problem.current_wrong"}}, view.Wait{}, http.StatusUnprocessableEntity)
	case identity.CodePasswordRefused:
		show([]view.Problem{{Field: view.FieldNew, Text: known.Detail}}, view.Wait{}, status)
	case identity.CodeConflict, identity.CodeInvalidRequest:
		show([]view.Problem{{Text: known.Detail}}, view.Wait{}, http.StatusUnprocessableEntity)
	case identity.CodeRateLimited:
		show(nil, c.waitFor(known), status)
	case identity.CodeBusy:
		c.w.Header().Set("Retry-After", retryAfter(known))
		show([]view.Problem{{Text: problem.Detail(known.Code)}}, view.Wait{}, status)
	default:
		return err
	}
	return nil
}

// passwordFresh asks for a second factor before the password of somebody who has one is changed. For others the current
// password in the form itself is the confirmation.
func (c *call) passwordFresh() error {
	err := c.Changes.CheckFresh(c.ctx(), c.entry.Principal)
	if ask, due := stepUp(err); due && !ask.MFA && !ask.Passkey {
		return nil
	}
	return err
}

func pagePassword(c *call) error {
	if c.r.URL.Query().Get("changed") == "" {
		if err := c.passwordFresh(); err != nil {
			return c.askFirst(err, forPassword)
		}
	}
	return c.password(http.StatusOK, view.PasswordChange{Changed: c.r.URL.Query().Get("changed") != ""})
}

func (c *call) password(status int, page view.PasswordChange) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	page.Viewer = c.viewer()
	if page.MinLength, err = c.shortestPassword(user); err != nil {
		return err
	}
	c.View.Render(c.w, c.r, status, page)
	return nil
}

// shortestPassword is shorter for somebody who has a second factor (NIST SP 800-63B-4 3.1.1.2).
func (c *call) shortestPassword(user identity.ID) (int, error) {
	policy := c.People.PasswordPolicy
	if policy.MinLengthWithMFA == 0 {
		return policy.MinLength, nil
	}
	factors, err := c.SignIn.Factors.Of(c.ctx(), user, c.host)
	if err == nil && factors.Any() {
		return policy.MinLengthWithMFA, nil
	}
	return policy.MinLength, err
}

func submitPassword(c *call) error {
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	if err := c.passwordFresh(); err != nil {
		return c.askFirst(err, forPassword)
	}
	keep := form.Get(view.FieldSignOut) != "on"
	cookie, err := c.SignIn.Passwords.Change(c.ctx(), c.by(), c.address(), form.Get(view.FieldCurrent), form.Get(view.FieldNew), keep)
	if err != nil {
		var failed error
		return first(c.formFailed(err, view.FieldCurrent, func(problems []view.Problem, wait view.Wait, status int) {
			failed = c.password(status, view.PasswordChange{Problems: problems, Wait: wait, KeepOthers: keep})
		}), &failed)
	}
	c.setSession(cookie)
	c.redirect(http.StatusSeeOther, c.Base+"/account/password?changed=1")
	return nil
}

// first gives err, or else what a page that was shown for it failed with.
func first(err error, shown *error) error {
	if err != nil {
		return err
	}
	return *shown
}
