package wire

import (
	"encoding/json"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Export is a user's own data as a file.
type Export struct {
	Profile  Profile   `json:"profile"`
	Factors  Factors   `json:"factors"`
	Sessions []Session `json:"sessions"`
	Devices  []Device  `json:"devices"`
	Requests []Request `json:"requests"`
	Activity []Event   `json:"activity"`
	More     bool      `json:"older_activity"` // there is more than fits into a file
}

// Profile is who a user is.
type Profile struct {
	ID              string   `json:"id"`
	Username        string   `json:"username"`
	Email           string   `json:"email"`
	Name            string   `json:"name"`
	Roles           []string `json:"roles"`
	Created         string   `json:"created"`
	LastSeen        string   `json:"last_seen"`
	PasswordChanged string   `json:"password_changed"`
	TimeZone        string   `json:"time_zone"`
	Managed         bool     `json:"managed"` // in the users_file
}

// Factors are what a user can sign in with.
type Factors struct {
	TOTP          string    `json:"totp_added"`
	TOTPUsed      string    `json:"totp_used"`
	Passkeys      []Passkey `json:"passkeys"`
	RecoveryMade  string    `json:"recovery_codes_made"`
	RecoveryLeft  int       `json:"recovery_codes_left"`
	Preferred     string    `json:"preferred"`
	ShortPassword bool      `json:"short_password"`
}

// Event is a line of the audit log as its owner may see it: of what another user did to the account, not where that
// user was.
type Event struct {
	Time      string `json:"time"`
	Event     string `json:"event"`
	Outcome   string `json:"outcome"`
	ByOther   bool   `json:"by_somebody_else"`
	IP        string `json:"ip"`
	UserAgent string `json:"user_agent"`
	Host      string `json:"host"`
	Reference string `json:"reference"`
}

// Request is a request to an app, as it was last seen.
type Request struct {
	Last    string `json:"last"`
	Host    string `json:"host"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	IP      string `json:"ip"`
	Allowed bool   `json:"allowed"`
}

// EventOf returns an audit row as the user self may see it.
func EventOf(r store.AuditRow, self string) Event {
	var line struct {
		Actor     struct{ Name string }
		UserAgent string `json:"user_agent"`
		Host      string `json:"host"`
	}
	_ = json.Unmarshal(r.Line, &line) // our own line; what cannot be read stays empty
	out := Event{Time: Time(r.Time), Event: r.Event, Outcome: r.Outcome, Reference: r.Reference}
	// A failed sign-in has no actor: it may have been anyone, and is for the owner of the account to see.
	if out.ByOther = r.ActorID != self && r.ActorID+line.Actor.Name != ""; !out.ByOther {
		out.IP, out.UserAgent, out.Host = r.IP, line.UserAgent, line.Host
	}
	return out
}

// ExportOf returns the file of a user's own data, for the browser with this session and device.
func ExportOf(data people.Export, session, device identity.ID) Export {
	u, f := data.User, data.Factors
	out := Export{More: data.More, Sessions: []Session{}, Devices: []Device{}, Requests: []Request{},
		Activity: []Event{},
		Profile: Profile{ID: u.ID.String(), Username: u.Username, Email: u.Email, Name: u.Name, Roles: Strings(u.Roles),
			Created:  Time(u.Created),
			LastSeen: Time(u.LastSeen), PasswordChanged: Time(u.PasswordChanged), TimeZone: data.TimeZone,
			Managed: u.Managed != ""},
		Factors: Factors{TOTP: Time(f.TOTP), TOTPUsed: Time(f.TOTPUsed), Passkeys: []Passkey{},
			RecoveryMade: Time(f.RecoveryMade), RecoveryLeft: f.RecoveryLeft,
			Preferred: f.Preferred, ShortPassword: f.ShortPassword}}
	for _, p := range data.Passkeys {
		out.Factors.Passkeys = append(out.Factors.Passkeys, PasskeyOf(p))
	}
	for _, s := range data.Sessions {
		out.Sessions = append(out.Sessions, SessionOf(s, session))
	}
	for _, d := range data.Devices {
		out.Devices = append(out.Devices, DeviceOf(d, device))
	}
	for _, r := range data.Requests {
		out.Requests = append(out.Requests, Request{Time(r.Last), r.Host, r.Method, r.Path, r.Address, r.Allowed})
	}
	for _, r := range data.Activity {
		out.Activity = append(out.Activity, EventOf(r, u.ID.String()))
	}
	return out
}
