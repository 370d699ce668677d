package portal

import (
	"net/http"
	"strconv"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// thisDevice is the record behind this browser's device cookie, zero without one.
func (c *call) thisDevice(user identity.ID) identity.ID {
	value, n := c.credential.CookieNamed(authn.DeviceCookie)
	if n != 1 {
		return identity.ID{}
	}
	return c.SignIn.Devices.ID(c.ctx(), user, value)
}

// pageDevices lists the browsers that are not asked for a second factor.
func pageDevices(c *call) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Devices.Trusted(c.ctx(), user)
	if err != nil {
		return err
	}
	page := view.TrustedDevices{Viewer: c.viewer(), Days: int(signin.TrustLife / (24 * time.Hour))}
	if n, err := strconv.Atoi(c.r.URL.Query().Get("ended")); err == nil && n > 0 && n < 1000 {
		page.Ended = n
	}
	here := c.thisDevice(user)
	for _, d := range list {
		page.Devices = append(page.Devices, view.TrustedDevice{ID: d.ID.String(), UserAgent: d.UserAgent, Added: d.Created, LastUsed: d.LastUsed,
			Expires: d.Trusted, Current: d.ID == here && !here.IsZero()})
	}
	c.View.Render(c.w, c.r, http.StatusOK, page)
	return nil
}

// submitDevices ends the trust in one browser, or in all.
func submitDevices(c *call) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	what, ended := form.Get(view.FieldRevoke), 1
	id, ok := identity.ParseID(what)
	switch {
	case what == view.RevokeOthers:
		list, err := c.SignIn.Devices.Trusted(c.ctx(), user)
		if err != nil {
			return err
		}
		id, ended = identity.ID{}, len(list)
	case !ok || id.IsZero():
		return bad("There is no such device.")
	}
	if err := c.SignIn.Devices.Forget(c.ctx(), c.by(), id); err != nil && (identity.CodeOf(err) != identity.CodeNotFound) {
		return c.askFirst(err, forDevices)
	}
	c.redirect(http.StatusSeeOther, c.Base+"/account/devices?ended="+strconv.Itoa(ended))
	return nil
}
