package portal

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

func pagePasskeys(c *call) error {
	query := c.r.URL.Query()
	return c.passkeys(http.StatusOK, view.Passkeys{Rename: query.Get("rename"), Remove: query.Get("remove"), Added: query.Get("added"),
		Renamed: query.Get("renamed") != "", Removed: query.Get("removed") != ""})
}

func (c *call) passkeys(status int, page view.Passkeys) error {
	user, _, err := c.own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Factors.Passkeys(c.ctx(), user)
	if err != nil {
		return err
	}
	factors, err := c.SignIn.Factors.Of(c.ctx(), user, c.host)
	if err != nil {
		return err
	}
	page.Viewer, page.Host, page.RecoveryLeft = c.viewer(), c.host, factors.RecoveryLeft
	page.ConfirmURL = c.Base + "/confirm?for=" + forAddPasskey
	page.Signal = view.PasskeySignal{RPID: c.host, UserID: base64.RawURLEncoding.EncodeToString(user[:])}
	if !c.passkeysHere() {
		page.Host, page.Elsewhere, page.Signal = "", c.passkeyOrigin(), view.PasskeySignal{}
	}
	added := page.Added
	page.Added = ""
	for _, p := range list {
		page.Passkeys = append(page.Passkeys, view.Passkey{ID: p.ID.String(), Name: p.Name, Added: p.Created, LastUsed: p.LastUsed, Synced: p.BackedUp, Suspect: p.Suspect})
		if p.Host == c.host {
			page.Signal.IDs = append(page.Signal.IDs, base64.RawURLEncoding.EncodeToString(p.CredentialID))
		}
		if p.ID.String() == added { // its name can be changed at once
			page.Added, page.Rename = added, added
		}
	}
	if !page.Renamed && !page.Removed { // a list read while a passkey is being added would have its device forget it
		page.Signal = view.PasskeySignal{}
	}
	c.View.Render(c.w, c.r, status, page)
	return nil
}

// passkeyOrigin is a place of this gateway where passkeys work: the single sign-on host, or the first site with a name.
func (c *call) passkeyOrigin() string {
	if credential.PasskeysPossible(c.PortalHost) && c.PortalHost != c.host {
		return c.PortalOrigin
	}
	for _, s := range c.Sites {
		if s.Host != c.host && !strings.Contains(s.Host, "*") && credential.PasskeysPossible(s.Host) {
			return s.Origin.String()
		}
	}
	return ""
}

// submitPasskeys renames or removes one.
func submitPasskeys(c *call) error {
	form, err := c.pageForm()
	if err != nil {
		return err
	}
	id, ok := identity.ParseID(form.Get(view.FieldID))
	if !ok {
		return c.passkeys(http.StatusUnprocessableEntity, view.Passkeys{Problems: []view.Problem{{Key: "problem.passkey_gone"}}})
	}
	switch form.Get(view.FieldAction) {
	case view.ActionRename:
		if err := c.SignIn.Factors.RenamePasskey(c.ctx(), c.by(), id, form.Get(view.FieldName)); err != nil {
			return c.passkeysFailed(err, view.Passkeys{Rename: id.String()}, view.FieldName, forChangePasskey)
		}
		c.redirect(http.StatusSeeOther, c.Base+"/account/passkeys?renamed=1")
		return nil
	case view.ActionRemove:
		changed, err := c.SignIn.Factors.RemovePasskey(c.ctx(), c.by(), id)
		if err != nil {
			return c.passkeysFailed(err, view.Passkeys{}, "", forRemovePasskey)
		}
		c.setSession(changed.Cookie)
		c.redirect(http.StatusSeeOther, c.Base+"/account/passkeys?removed=1")
		return nil
	}
	return bad("This form has no such action.")
}

func (c *call) passkeysFailed(err error, page view.Passkeys, field, action string) error {
	known, ok := asError(err)
	if !ok {
		return err
	}
	switch known.Code {
	case identity.CodeNotFound:
		page.Problems = []view.Problem{{Key: "problem.passkey_gone"}}
	case identity.CodeInvalidRequest, identity.CodeConflict:
		page.Problems = []view.Problem{{Field: field, Text: known.Detail}}
	default:
		return c.askFirst(err, action)
	}
	return c.passkeys(http.StatusUnprocessableEntity, page)
}
