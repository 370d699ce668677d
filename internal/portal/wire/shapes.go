// Package wire has the JSON shapes of the portal's answers, made from what the rooms below return.
package wire

import (
	"slices"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// Passkey is one of the caller's passkeys.
type Passkey struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Host     string `json:"host"` // where it works
	Created  string `json:"created"`
	LastUsed string `json:"last_used"`
	Synced   bool   `json:"synced"`
	Suspect  bool   `json:"suspect"` // its counter went back: it may have been copied
}

// PasskeyOf returns the shape of a passkey.
func PasskeyOf(p store.Passkey) Passkey {
	return Passkey{ID: p.ID.String(), Name: p.Name, Host: p.Host, Created: Time(p.Created), LastUsed: Time(p.LastUsed),
		Synced: p.BackedUp, Suspect: p.Suspect}
}

// Device is a browser that is not asked for a second factor.
type Device struct {
	ID        string `json:"id"`
	UserAgent string `json:"user_agent"`
	Created   string `json:"created"`
	LastUsed  string `json:"last_used"`
	Trusted   string `json:"trusted_until"`
	Current   bool   `json:"current"`
}

// DeviceOf returns the shape of a trusted device; here is the one of the asking browser.
func DeviceOf(d store.Device, here identity.ID) Device {
	return Device{ID: d.ID.String(), UserAgent: d.UserAgent, Created: Time(d.Created), LastUsed: Time(d.LastUsed),
		Trusted: Time(d.Trusted),
		Current: d.ID == here && !here.IsZero()}
}

// User is a user in the API.
type User struct {
	ID       string   `json:"id"`
	Username string   `json:"username"`
	Email    string   `json:"email"`
	Name     string   `json:"name"`
	Roles    []string `json:"roles"`
}

// Session is one of the caller's sessions.
type Session struct {
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

// SessionOf returns the shape of a session; current is the asking one.
func SessionOf(s store.Session, current identity.ID) Session {
	return Session{ID: s.ID.String(), Host: s.Host, Created: Time(s.Created), LastSeen: Time(s.LastSeen),
		Expires: Time(s.Expires), IP: s.IP, UserAgent: s.UserAgent, AMR: Strings(s.AMR), Current: s.ID == current}
}

// Time returns a time as in RFC 3339, "" for none.
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Strings returns a list that is never null in JSON.
func Strings(list []string) []string {
	if list == nil {
		return []string{}
	}
	return slices.Clone(list)
}
