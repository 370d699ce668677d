package pages

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
	"github.com/truxeio/caddy-truxe/internal/portal/wire"
)

// Profile shows name, mail address and time zone.
func Profile(c *web.Call) error {
	page, err := profilePage(c)
	if err != nil {
		return err
	}
	page.Saved = c.R.URL.Query().Get("saved") != ""
	c.Render(http.StatusOK, page)
	return nil
}

// profilePage returns the page with the caller's profile as it is stored.
func profilePage(c *web.Call) (view.Profile, error) {
	user, _, err := c.Own()
	if err != nil {
		return view.Profile{}, err
	}
	profile, err := c.People.Profile(c.Context(), user)
	if err != nil {
		return view.Profile{}, err
	}
	u := profile.User
	return view.Profile{Viewer: c.ViewerNamed(u.Username, u.Name), Name: u.Name, Email: u.Email,
		Managed: u.Managed != ""}, nil
}

// SubmitProfile changes one's own name and address, or downloads one's data. A new address asks for a fresh factor: it
// is where help is sent.
func SubmitProfile(c *web.Call) error {
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	switch form.Get(view.FieldAction) {
	case view.ActionZone:
		return setZone(c, form.Get(view.FieldZone))
	case view.ActionExport:
		user, session, err := c.Own()
		if err != nil {
			return err
		}
		data, err := c.People.Export(c.Context(), c.By())
		if err != nil {
			return c.AskFirst(err, web.ForExport)
		}
		return c.Attachment("my-data.json", wire.ExportOf(data, session, c.Browser().ThisDevice(user)))
	}
	page := view.Profile{Viewer: c.Viewer(), Name: form.Get(view.FieldName), Email: form.Get(view.FieldEmail)}
	err = c.People.UpdateProfile(c.Context(), c.By(), page.Name, page.Email)
	if err == nil {
		c.Redirect(http.StatusSeeOther, c.Base+"/account/profile?saved=1")
		return nil
	}
	known, ok := web.KnownError(err)
	if !ok {
		return err
	}
	switch known.Code {
	case identity.CodeInvalidRequest, identity.CodeConflict:
		page.Problems = []view.Problem{{Text: known.Detail}}
	case identity.CodeForbidden:
		page.Managed = true
	default:
		return c.AskFirst(err, web.ForProfile)
	}
	c.Render(http.StatusUnprocessableEntity, page)
	return nil
}

// setZone keeps the zone that times are shown in. What the form does not say of the profile is read anew.
func setZone(c *web.Call, zone string) error {
	err := c.People.SetTimeZone(c.Context(), c.By(), zone)
	if err == nil {
		c.Redirect(http.StatusSeeOther, c.Base+"/account/profile?saved=1")
		return nil
	}
	if known, ok := web.KnownError(err); !ok || known.Code != identity.CodeInvalidRequest {
		return err
	}
	page, err := profilePage(c)
	if err != nil {
		return err
	}
	page.Zone, page.Problems = &zone, []view.Problem{{Field: view.FieldZone, Key: "problem.zone"}}
	c.Render(http.StatusUnprocessableEntity, page)
	return nil
}
