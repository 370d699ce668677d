package pages

import (
	"net/http"
	"strconv"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// Devices lists the browsers that are not asked for a second factor.
func Devices(c *web.Call) error {
	user, _, err := c.Own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Devices.Trusted(c.Context(), user)
	if err != nil {
		return err
	}
	page := view.TrustedDevices{Viewer: c.Viewer(), Days: int(signin.TrustLife / (24 * time.Hour))}
	if n, err := strconv.Atoi(c.R.URL.Query().Get("ended")); err == nil && n > 0 && n < 1000 {
		page.Ended = n
	}
	here := c.Browser().ThisDevice(user)
	for _, d := range list {
		page.Devices = append(page.Devices, view.TrustedDevice{ID: d.ID.String(), UserAgent: d.UserAgent,
			Added: d.Created, LastUsed: d.LastUsed,
			Expires: d.Trusted, Current: d.ID == here && !here.IsZero()})
	}
	c.Render(http.StatusOK, page)
	return nil
}

// SubmitDevices ends the trust in one browser, or in all.
func SubmitDevices(c *web.Call) error {
	user, _, err := c.Own()
	if err != nil {
		return err
	}
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	what, ended := form.Get(view.FieldRevoke), 1
	id, ok := identity.ParseID(what)
	switch {
	case what == view.RevokeOthers:
		list, err := c.SignIn.Devices.Trusted(c.Context(), user)
		if err != nil {
			return err
		}
		id, ended = identity.ID{}, len(list)
	case !ok || id.IsZero():
		return identity.Invalid("There is no such device.")
	}
	if err := c.SignIn.Devices.Forget(c.Context(), c.By(), id); err != nil &&
		(identity.CodeOf(err) != identity.CodeNotFound) {
		return c.AskFirst(err, web.ForDevices)
	}
	c.Redirect(http.StatusSeeOther, c.Base+"/account/devices?ended="+strconv.Itoa(ended))
	return nil
}
