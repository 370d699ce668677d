package pages

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
	"github.com/truxeio/caddy-truxe/internal/portal/web"
)

// Passkeys lists the passkeys of the account.
func Passkeys(c *web.Call) error {
	query := c.R.URL.Query()
	return passkeys(c, http.StatusOK, view.Passkeys{PasskeyChange: view.PasskeyChange{Rename: query.Get("rename"),
		Remove: query.Get("remove"), Added: query.Get("added"), Renamed: query.Get("renamed") != "",
		Removed: query.Get("removed") != ""}})
}

func passkeys(c *web.Call, status int, page view.Passkeys) error {
	user, _, err := c.Own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Factors.Passkeys(c.Context(), user)
	if err != nil {
		return err
	}
	factors, err := c.SignIn.Factors.Of(c.Context(), user, c.Host)
	if err != nil {
		return err
	}
	page.Viewer, page.Host, page.RecoveryLeft = c.Viewer(), c.Host, factors.RecoveryLeft
	page.ConfirmURL = c.Base + "/confirm?for=" + web.ForAddPasskey
	page.Signal = view.PasskeySignal{RPID: c.Host, UserID: base64.RawURLEncoding.EncodeToString(user[:])}
	if !passkeysHere(c) {
		page.Host, page.Elsewhere, page.Signal = "", passkeyOrigin(c), view.PasskeySignal{}
	}
	added := page.Added
	page.Added = ""
	for _, p := range list {
		page.Passkeys = append(page.Passkeys, view.Passkey{ID: p.ID.String(), Name: p.Name, Added: p.Created,
			LastUsed: p.LastUsed, Synced: p.BackedUp, Suspect: p.Suspect})
		if p.Host == c.Host {
			page.Signal.IDs = append(page.Signal.IDs, base64.RawURLEncoding.EncodeToString(p.CredentialID))
		}
		if p.ID.String() == added { // its name can be changed at once
			page.Added, page.Rename = added, added
		}
	}
	if !page.Renamed && !page.Removed { // a list read while a passkey is being added would have its device forget it
		page.Signal = view.PasskeySignal{}
	}
	c.Render(status, page)
	return nil
}

// passkeyOrigin is a place of this gateway where passkeys work: the single sign-on host, or the first site with a name.
func passkeyOrigin(c *web.Call) string {
	if credential.PasskeysPossible(c.PortalHost) && c.PortalHost != c.Host {
		return c.PortalOrigin
	}
	for _, s := range c.Sites {
		if s.Host != c.Host && !strings.Contains(s.Host, "*") && credential.PasskeysPossible(s.Host) {
			return s.Origin.String()
		}
	}
	return ""
}

// SubmitPasskeys renames or removes one.
func SubmitPasskeys(c *web.Call) error {
	form, err := web.ReadForm(c.R)
	if err != nil {
		return err
	}
	id, ok := identity.ParseID(form.Get(view.FieldID))
	if !ok {
		return passkeys(c, http.StatusUnprocessableEntity,
			view.Passkeys{Problems: []view.Problem{{Key: "problem.passkey_gone"}}})
	}
	switch form.Get(view.FieldAction) {
	case view.ActionRename:
		if err := c.SignIn.Factors.RenamePasskey(c.Context(), c.By(), id, form.Get(view.FieldName)); err != nil {
			return passkeysFailed(c, err, view.Passkeys{PasskeyChange: view.PasskeyChange{Rename: id.String()}},
				view.FieldName, web.ForChangePasskey)
		}
		c.Redirect(http.StatusSeeOther, c.Base+"/account/passkeys?renamed=1")
		return nil
	case view.ActionRemove:
		changed, err := c.SignIn.Factors.RemovePasskey(c.Context(), c.By(), id)
		if err != nil {
			return passkeysFailed(c, err, view.Passkeys{}, "", web.ForRemovePasskey)
		}
		c.Browser().SetSession(changed.Cookie)
		c.Redirect(http.StatusSeeOther, c.Base+"/account/passkeys?removed=1")
		return nil
	}
	return identity.Invalid("This form has no such action.")
}

func passkeysFailed(c *web.Call, err error, page view.Passkeys, field, action string) error {
	known, ok := web.KnownError(err)
	if !ok {
		return err
	}
	switch known.Code {
	case identity.CodeNotFound:
		page.Problems = []view.Problem{{Key: "problem.passkey_gone"}}
	case identity.CodeInvalidRequest, identity.CodeConflict:
		page.Problems = []view.Problem{{Field: field, Text: known.Detail}}
	default:
		return c.AskFirst(err, action)
	}
	return passkeys(c, http.StatusUnprocessableEntity, page)
}
