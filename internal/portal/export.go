package portal

import (
	"encoding/json"
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// exportJSON is a person's own data as a file.
type exportJSON struct {
	Profile  profileJSON   `json:"profile"`
	Factors  factorsJSON   `json:"factors"`
	Sessions []sessionJSON `json:"sessions"`
	Devices  []deviceJSON  `json:"devices"`
	Requests []requestJSON `json:"requests"`
	Activity []eventJSON   `json:"activity"`
	More     bool          `json:"older_activity"` // there is more than fits into a file
}

type profileJSON struct {
	ID              string   `json:"id"`
	Username        string   `json:"username"`
	Email           string   `json:"email"`
	Name            string   `json:"name"`
	Roles           []string `json:"roles"`
	Created         string   `json:"created"`
	LastSeen        string   `json:"last_seen"`
	PasswordChanged string   `json:"password_changed"`
	TimeZone        string   `json:"time_zone"`
	Managed         bool     `json:"managed"` // by a file of whoever runs the gateway
}

type factorsJSON struct {
	TOTP          string        `json:"totp_added"`
	TOTPUsed      string        `json:"totp_used"`
	Passkeys      []passkeyJSON `json:"passkeys"`
	RecoveryMade  string        `json:"recovery_codes_made"`
	RecoveryLeft  int           `json:"recovery_codes_left"`
	Preferred     string        `json:"preferred"`
	ShortPassword bool          `json:"short_password"`
}

// eventJSON is a line of the audit log as its owner may see it: of what somebody else did to the account, not where that
// person was.
type eventJSON struct {
	Time      string `json:"time"`
	Event     string `json:"event"`
	Outcome   string `json:"outcome"`
	ByOther   bool   `json:"by_somebody_else"`
	IP        string `json:"ip"`
	UserAgent string `json:"user_agent"`
	Host      string `json:"host"`
	Reference string `json:"reference"`
}

// requestJSON is a request to an app, as it was last seen.
type requestJSON struct {
	Last    string `json:"last"`
	Host    string `json:"host"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	IP      string `json:"ip"`
	Allowed bool   `json:"allowed"`
}

// apiExport gives the caller's own data.
func apiExport(c *call) error {
	data, err := c.People.Export(c.ctx(), c.by())
	if err != nil {
		return err
	}
	return c.exported(data)
}

// exported answers with the file. The clear names stand in it as data alone: it is never shown as a page (nosniff).
func (c *call) exported(data people.Export) error {
	_, current, err := c.own()
	if err != nil {
		return err
	}
	u, f := data.User, data.Factors
	out := exportJSON{More: data.More, Sessions: []sessionJSON{}, Devices: []deviceJSON{}, Requests: []requestJSON{}, Activity: []eventJSON{},
		Profile: profileJSON{ID: u.ID.String(), Username: u.Username, Email: u.Email, Name: u.Name, Roles: notNil(u.Roles), Created: stamp(u.Created),
			LastSeen: stamp(u.LastSeen), PasswordChanged: stamp(u.PasswordChanged), TimeZone: data.TimeZone, Managed: u.Managed != ""},
		Factors: factorsJSON{TOTP: stamp(f.TOTP), TOTPUsed: stamp(f.TOTPUsed), Passkeys: []passkeyJSON{}, RecoveryMade: stamp(f.RecoveryMade), RecoveryLeft: f.RecoveryLeft,
			Preferred: f.Preferred, ShortPassword: f.ShortPassword}}
	for _, p := range data.Passkeys {
		out.Factors.Passkeys = append(out.Factors.Passkeys, passkeyOut(p))
	}
	for _, s := range data.Sessions {
		out.Sessions = append(out.Sessions, sessionOut(s, current))
	}
	here := c.thisDevice(u.ID)
	for _, d := range data.Devices {
		out.Devices = append(out.Devices, deviceOut(d, here))
	}
	for _, r := range data.Requests {
		out.Requests = append(out.Requests, requestJSON{stamp(r.Last), r.Host, r.Method, r.Path, r.Address, r.Allowed})
	}
	for _, r := range data.Activity {
		out.Activity = append(out.Activity, eventOut(r, u.ID.String()))
	}
	c.w.Header().Set("Content-Disposition", `attachment; filename="my-data.json"`)
	return c.json(http.StatusOK, out)
}

func eventOut(r store.AuditRow, self string) eventJSON {
	var line struct {
		Actor     struct{ Name string }
		UserAgent string `json:"user_agent"`
		Host      string `json:"host"`
	}
	_ = json.Unmarshal(r.Line, &line) // our own line; what cannot be read stays empty
	out := eventJSON{Time: stamp(r.Time), Event: r.Event, Outcome: r.Outcome, Reference: r.Reference}
	// Nobody is named where a sign-in failed: that may have been anybody, and is the account's owner's to see.
	if out.ByOther = r.ActorID != self && r.ActorID+line.Actor.Name != ""; !out.ByOther {
		out.IP, out.UserAgent, out.Host = r.IP, line.UserAgent, line.Host
	}
	return out
}
