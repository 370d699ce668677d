package web

import (
	"encoding/json"
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

// JSON answers with a body as JSON, which is never stored (RFC 6749 section 5.1).
func (x *Exchange) JSON(status int, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	h := x.W.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	x.W.WriteHeader(status)
	if x.R.Method != http.MethodHead {
		_, _ = x.W.Write(append(raw, '\n'))
	}
	return nil
}

// List answers with a whole list in the API's shape of one page.
func (x *Exchange) List(items any) error {
	return x.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": ""})
}

// Attachment answers with JSON as a file to keep. It is never shown as a page (nosniff), whatever it has in it.
func (x *Exchange) Attachment(name string, body any) error {
	x.W.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	return x.JSON(http.StatusOK, body)
}

// NoContent answers 204.
func (x *Exchange) NoContent() error {
	x.W.Header().Set("Cache-Control", "no-store")
	x.W.WriteHeader(http.StatusNoContent)
	return nil
}

// Render answers with a page.
func (c *Call) Render(status int, page view.Page) { c.View.Render(c.W, c.R, status, page) }

// Redirect answers with a redirect that is never stored.
func (x *Exchange) Redirect(status int, location string) {
	h := x.W.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Location", location)
	x.W.WriteHeader(status)
}

// ToPortal redirects to the same page on the single sign-on host. It is a GET there whatever was sent here: the fields
// of a form never leave its host.
func (c *Call) ToPortal() error {
	to := c.Home("/" + c.Path)
	if c.R.URL.RawQuery != "" {
		to += "?" + c.R.URL.RawQuery
	}
	c.Redirect(http.StatusSeeOther, to)
	return nil
}

// Viewer returns the caller as pages show them; the zero value for an anonymous one.
func (c *Call) Viewer() view.Viewer {
	if c.Entry == nil {
		return view.Viewer{}
	}
	return c.ViewerNamed(c.Entry.Principal.Username, c.Entry.Principal.Name)
}

// ViewerNamed returns the caller with names that may be newer than the session's. A zone that cannot be read
// counts as unset: the page then shows the device's own time.
func (c *Call) ViewerNamed(username, name string) view.Viewer {
	v := view.Viewer{Username: username, Name: name}
	if user, ok := identity.ParseID(c.Entry.Principal.UserID); ok {
		v.Zone, _ = c.People.TimeZone(c.Context(), user)
	}
	return v
}
