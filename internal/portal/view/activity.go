package view

import (
	"strings"
	"time"
)

// Activity is what happened to one's own account, newest first, from the audit log.
type Activity struct {
	Viewer Viewer
	Events []Event
	// Older and Newer are pages of the list ("?cursor=…" of {base}/account/activity as a path); empty: no link.
	Older, Newer string
}

// Event is one line of it.
type Event struct {
	Name      string // of the audit event: "authn_login_success"
	Outcome   string // "success", "failure", "deny", "refused"
	Time      time.Time
	UserAgent string
	Address   string
	Host      string
	Reference string
	Current   bool // by this session
}

func (p Activity) meta() meta {
	return meta{name: "activity", title: "activity.title", wide: true, viewer: p.Viewer, tab: "activity"}
}

// Bad reports whether to look at it twice.
func (e Event) Bad() bool {
	switch e.Name {
	case "authn_login_fail", "authn_login_lock", "authn_token_reuse", "authn_mfa_fail", "authz_fail":
		return true
	}
	return e.Outcome != "" && e.Outcome != "success"
}

// Picture is the icon beside it.
func (e Event) Picture() string {
	switch {
	case e.Bad():
		return "alert"
	case strings.HasPrefix(e.Name, "authn_mfa_"), strings.HasPrefix(e.Name, "authn_password_"),
		strings.HasPrefix(e.Name, "authn_token_"):
		return "key"
	case strings.HasPrefix(e.Name, "session_"):
		return "device"
	case strings.HasPrefix(e.Name, "user_"), strings.HasPrefix(e.Name, "privilege_"):
		return "user"
	}
	return "check"
}

// What is the key of its words, "" for an event without.
func (e Event) What() string {
	key := "event." + e.Name
	if e.Outcome != "" && e.Outcome != "success" && english[key+".fail"].other != "" {
		return key + ".fail"
	}
	if english[key].other != "" {
		return key
	}
	return ""
}
