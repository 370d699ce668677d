package portal

import (
	"net/http"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// sessionJSON is one of the caller's sessions.
type sessionJSON struct {
	ID        string   `json:"id"`
	Host      string   `json:"host"`
	Created   string   `json:"created"`
	LastSeen  string   `json:"last_seen"`
	Expires   string   `json:"expires"`
	IP        string   `json:"ip"`
	UserAgent string   `json:"user_agent"`
	AMR       []string `json:"amr"`
	Current   bool     `json:"current"`
}

// own gives the ids of the caller's user and session; a foreign token has none here.
func (c *call) own() (user, session identity.ID, err error) {
	user, ok := identity.ParseID(c.entry.Principal.UserID)
	if !ok {
		return user, session, &identity.Error{Code: identity.CodeForbidden, Detail: "This needs an account of this gateway."}
	}
	session, _ = identity.ParseID(c.entry.Principal.SessionID)
	return user, session, nil
}

// fresh asks for a sign-in or confirmation of the last minutes, with a factor as strong as the caller's best (MF-13, SE-14).
func (c *call) fresh() error { return c.Changes.CheckFresh(c.ctx(), c.entry.Principal) }

func apiSessions(c *call) error {
	user, current, err := c.own()
	if err != nil {
		return err
	}
	list, err := c.SignIn.Sessions.List(c.ctx(), user)
	if err != nil {
		return err
	}
	items := make([]sessionJSON, 0, len(list))
	for _, s := range list {
		items = append(items, sessionOut(s, current))
	}
	return c.json(http.StatusOK, map[string]any{"items": items, "next_cursor": ""})
}

func sessionOut(s store.Session, current identity.ID) sessionJSON {
	return sessionJSON{ID: s.ID.String(), Host: s.Host, Created: stamp(s.Created), LastSeen: stamp(s.LastSeen),
		Expires: stamp(s.Expires), IP: s.IP, UserAgent: s.UserAgent, AMR: notNil(s.AMR), Current: s.ID == current}
}

func apiEndSession(c *call) error {
	user, current, err := c.own()
	if err != nil {
		return err
	}
	id, ok := identity.ParseID(c.id)
	if !ok {
		return notFound()
	}
	if id != current {
		if err := c.fresh(); err != nil {
			return err
		}
	}
	if err := c.SignIn.Sessions.End(c.ctx(), c.by(), user, id); err != nil {
		return err
	}
	return c.noContent()
}

// apiEndSessions ends all sessions, or with ?except=current all others.
func apiEndSessions(c *call) error {
	user, current, err := c.own()
	if err != nil {
		return err
	}
	if err := c.fresh(); err != nil {
		return err
	}
	var except identity.ID
	switch c.r.URL.Query().Get("except") {
	case "":
	case "current":
		except = current
	default:
		return bad("except can only be current.")
	}
	if err := c.SignIn.Sessions.EndAll(c.ctx(), c.by(), user, except, "signed_out_everywhere"); err != nil {
		return err
	}
	return c.noContent()
}

// apiSession tells the state of the caller's session. Asking does not extend it (SE-10). Anonymous callers get an
// answer too, so that a waiting login page can poll it.
func apiSession(c *call) error {
	if c.entry == nil {
		return c.json(http.StatusOK, map[string]any{"authenticated": false})
	}
	p := c.entry.Principal
	return c.json(http.StatusOK, map[string]any{"authenticated": true, "username": p.Username, "name": p.Name, "session_id": p.SessionID,
		"expires": stamp(p.Expires), "auth_time": stamp(p.AuthTime), "amr": notNil(p.AMR)})
}

func apiPasswordChange(c *call) error {
	var in struct {
		Current string `json:"current_password"`
		New     string `json:"new_password"`
		Keep    bool   `json:"keep_other_sessions"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	if err := c.passwordFresh(); err != nil {
		return err
	}
	cookie, err := c.SignIn.Passwords.Change(c.ctx(), c.by(), c.address(), in.Current, in.New, in.Keep)
	if err != nil {
		return err
	}
	if c.entry.Principal.Credential == identity.CredentialCookie {
		c.setSession(cookie)
	}
	return c.noContent()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
