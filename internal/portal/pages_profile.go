package portal

import (
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

func pageProfile(c *call) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	profile, err := c.People.Profile(c.ctx(), user)
	if err != nil {
		return err
	}
	u := profile.User
	c.View.Render(c.w, c.r, http.StatusOK, view.Profile{Viewer: c.viewerNamed(u.Username, u.Name), Name: u.Name, Email: u.Email,
		Managed: u.Managed != "", Saved: c.r.URL.Query().Get("saved") != ""})
	return nil
}

// submitProfile changes one's own name and address, or gives one's data. A new address asks for a fresh factor: it is where
// help is sent.
func submitProfile(c *call) error {
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	switch form.Get(view.FieldAction) {
	case view.ActionZone:
		return c.setZone(form.Get(view.FieldZone))
	case view.ActionExport:
		data, err := c.People.Export(c.ctx(), c.by())
		if err != nil {
			return c.askFirst(err, forExport)
		}
		return c.exported(data)
	}
	page := view.Profile{Viewer: c.viewer(), Name: form.Get(view.FieldName), Email: form.Get(view.FieldEmail)}
	err = c.People.UpdateProfile(c.ctx(), c.by(), page.Name, page.Email)
	if err == nil {
		c.redirect(http.StatusSeeOther, c.Base+"/account/profile?saved=1")
		return nil
	}
	known, ok := asError(err)
	if !ok {
		return err
	}
	switch known.Code {
	case identity.CodeInvalidRequest, identity.CodeConflict:
		page.Problems = []view.Problem{{Text: known.Detail}}
	case identity.CodeForbidden:
		page.Managed = true
	default:
		return c.askFirst(err, forProfile)
	}
	c.View.Render(c.w, c.r, http.StatusUnprocessableEntity, page)
	return nil
}

// setZone keeps the zone that times are shown in. What the form does not say of the profile is read anew.
func (c *call) setZone(zone string) error {
	err := c.People.SetTimeZone(c.ctx(), c.by(), zone)
	if err == nil {
		c.redirect(http.StatusSeeOther, c.Base+"/account/profile?saved=1")
		return nil
	}
	if known, ok := asError(err); !ok || known.Code != identity.CodeInvalidRequest {
		return err
	}
	user, _, err := c.own()
	if err != nil {
		return err
	}
	profile, err := c.People.Profile(c.ctx(), user)
	if err != nil {
		return err
	}
	u := profile.User
	page := view.Profile{Viewer: c.viewerNamed(u.Username, u.Name), Name: u.Name, Email: u.Email, Managed: u.Managed != "",
		Problems: []view.Problem{{Field: view.FieldZone, Key: "problem.zone"}}}
	page.Zone = &zone
	c.View.Render(c.w, c.r, http.StatusUnprocessableEntity, page)
	return nil
}
