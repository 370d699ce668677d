package portal

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/truxeio/caddy-truxe/internal/account"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/problem"
)

func (c *call) viewer() view.Viewer {
	if c.entry == nil {
		return view.Viewer{}
	}
	return view.Viewer{Username: c.entry.Principal.Username, Name: c.entry.Principal.Name}
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
	for _, s := range c.Sites {
		if s.Host == "" || s.PortalOnly || !s.open(c.entry.Principal) {
			continue
		}
		page.Apps = append(page.Apps, view.App{Name: s.Name, Host: s.Host, URL: s.Origin + "/", Description: s.Description, Icon: s.Icon})
	}
	c.View.Render(c.w, c.r, http.StatusOK, page)
	return nil
}

// open tells whether the site's `allow` lets somebody in.
func (s Site) open(p *identity.Principal) bool {
	if len(s.Roles)+len(s.Users) == 0 || slices.Contains(s.Users, p.Username) {
		return true
	}
	return slices.ContainsFunc(s.Roles, p.HasRole)
}

func pageAccount(c *call) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	profile, err := c.Accounts.Profile(c.ctx(), user)
	if err != nil {
		return err
	}
	c.View.Render(c.w, c.r, http.StatusOK, view.Account{Viewer: c.viewer(), Email: profile.User.Email, Roles: profile.User.Roles,
		PasswordChanged: profile.User.PasswordChanged, LastSignIn: c.entry.Principal.AuthTime, Sessions: profile.Sessions, Managed: profile.User.Managed != ""})
	return nil
}

func pageSessions(c *call) error {
	user, current, err := c.own()
	if err != nil {
		return err
	}
	list, err := c.Accounts.ListSessions(c.ctx(), user)
	if err != nil {
		return err
	}
	page := view.Sessions{Viewer: c.viewer()}
	if c.r.URL.Query().Get("ended") != "" {
		page.Ended = 1
	}
	for _, s := range list {
		page.Sessions = append(page.Sessions, view.Session{ID: s.ID.String(), UserAgent: s.UserAgent, Address: s.IP, Host: s.Host, SignedIn: s.Created,
			LastSeen: s.LastSeen, Methods: s.AMR, Current: s.ID == current})
	}
	c.View.Render(c.w, c.r, http.StatusOK, page)
	return nil
}

// submitSessions ends one session or all others. Ending others needs a fresh sign-in (SE-14).
func submitSessions(c *call) error {
	user, current, err := c.own()
	if err != nil {
		return err
	}
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	what := form.Get(view.FieldRevoke)
	id, ok := identity.ParseID(what)
	if !ok && what != view.RevokeOthers {
		return bad("There is no such session.")
	}
	if id == current {
		c.redirect(http.StatusSeeOther, c.Base+"/logout")
		return nil
	}
	if c.fresh() != nil {
		c.redirect(http.StatusSeeOther, c.Base+"/confirm")
		return nil
	}
	if what == view.RevokeOthers {
		err = c.Accounts.EndSessions(c.ctx(), c.by(), user, current, "signed_out_everywhere")
	} else {
		err = c.Accounts.EndSession(c.ctx(), c.by(), user, id)
	}
	if err != nil {
		return err
	}
	c.redirect(http.StatusSeeOther, c.Base+"/account/sessions?ended=1")
	return nil
}

func pageConfirm(c *call) error {
	c.View.Render(c.w, c.r, http.StatusOK, c.confirmPage())
	return nil
}

func (c *call) confirmPage() view.Confirm {
	return view.Confirm{Viewer: c.viewer(), Action: "confirm.end_sessions", Minutes: int(confirmWithin / time.Minute), Cancel: c.Base + "/account/sessions"}
}

// submitConfirm checks the password again, renews the session's secret and goes back to the list.
func submitConfirm(c *call) error {
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	cookie, err := c.Accounts.Confirm(c.ctx(), c.by(), c.address(), form.Get(view.FieldPassword))
	if err != nil {
		page := c.confirmPage()
		return c.formFailed(err, view.FieldPassword, func(problems []view.Problem, wait view.Wait, status int) {
			page.Problems, page.Wait = problems, wait
			c.View.Render(c.w, c.r, status, page)
		})
	}
	c.setSession(cookie, c.entry.Principal.Expires)
	c.redirect(http.StatusSeeOther, c.Base+"/account/sessions")
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
		show(nil, view.Wait{Until: c.Now().Add(known.RetryAfter), For: known.RetryAfter}, status)
	case identity.CodeBusy:
		c.w.Header().Set("Retry-After", retryAfter(known))
		show([]view.Problem{{Text: problem.Detail(known.Code)}}, view.Wait{}, status)
	default:
		return err
	}
	return nil
}

func pagePassword(c *call) error {
	c.View.Render(c.w, c.r, http.StatusOK, view.PasswordChange{Viewer: c.viewer(), MinLength: c.Accounts.Passwords.MinLength,
		Changed: c.r.URL.Query().Get("changed") != ""})
	return nil
}

func submitPassword(c *call) error {
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	keep := form.Get(view.FieldSignOut) != "on"
	cookie, err := c.Accounts.ChangePassword(c.ctx(), c.by(), c.address(), form.Get(view.FieldCurrent), form.Get(view.FieldNew), keep)
	if err != nil {
		return c.formFailed(err, view.FieldCurrent, func(problems []view.Problem, wait view.Wait, status int) {
			c.View.Render(c.w, c.r, status, view.PasswordChange{Viewer: c.viewer(), MinLength: c.Accounts.Passwords.MinLength, Problems: problems, Wait: wait, KeepOthers: keep})
		})
	}
	c.setSession(cookie, c.entry.Principal.Expires)
	c.redirect(http.StatusSeeOther, c.Base+"/account/password?changed=1")
	return nil
}

func pageLogout(c *call) error {
	if c.entry == nil {
		c.clearCookie("__Host-truxe")
		c.View.Render(c.w, c.r, http.StatusOK, view.SignedOut{Hosts: []string{c.host}})
		return nil
	}
	c.View.Render(c.w, c.r, http.StatusOK, view.LogoutAsk{Viewer: c.viewer(), Hosts: []string{c.host}})
	return nil
}

func submitLogout(c *call) error {
	if c.entry != nil {
		if err := c.Accounts.SignOut(c.ctx(), c.by()); err != nil {
			return err
		}
	}
	c.clearCookie("__Host-truxe")
	c.redirect(http.StatusSeeOther, c.Base+"/logout")
	return nil
}

func pageSetup(c *call) error {
	if err := c.needsSetup(); err != nil {
		return err
	}
	c.Flows.flow(c.w, c.credential)
	c.View.Render(c.w, c.r, http.StatusOK, view.Setup{MinLength: c.Accounts.Passwords.MinLength})
	return nil
}

func (c *call) needsSetup() error {
	needs, err := c.Accounts.NeedsSetup(c.ctx())
	if err == nil && !needs {
		err = account.ErrSetUp
	}
	return err
}

// submitSetup creates the first administrator and signs them in.
func submitSetup(c *call) error {
	if err := c.needsSetup(); err != nil {
		return err
	}
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	page := view.Setup{Token: form.Get(view.FieldToken), Username: form.Get(view.FieldUsername), Email: form.Get(view.FieldEmail),
		Name: form.Get(view.FieldName), MinLength: c.Accounts.Passwords.MinLength}
	password := form.Get(view.FieldNew)
	_, err = c.Accounts.Setup(c.ctx(), c.by(), page.Token, account.NewUser{Username: page.Username, Email: page.Email, Name: page.Name, Password: password})
	if err != nil {
		return c.formFailed(err, view.FieldNew, func(problems []view.Problem, _ view.Wait, status int) {
			page.Problems = problems
			c.View.Render(c.w, c.r, status, page)
		})
	}
	signed, err := c.Accounts.SignIn(c.ctx(), account.SignIn{Login: page.Username, Password: password, Address: c.address(), Kind: "browser", By: c.by()})
	if err != nil {
		c.redirect(http.StatusSeeOther, c.Base+"/login")
		return nil //nolint:nilerr // the account exists; signing in by hand says what is wrong
	}
	c.signedIn(signed, false)
	c.redirect(http.StatusSeeOther, c.Base+"/?welcome=1")
	return nil
}
