package view

import "time"

// TrustedDevices lists the browsers that are not asked for a second factor. Ending one posts FieldRevoke (an id, or
// RevokeOthers for all, this one included) to {base}/account/devices.
type TrustedDevices struct {
	Viewer  Viewer
	Devices []TrustedDevice
	Days    int // how long a device is trusted
	// Ended > 0 says how many were ended just now.
	Ended int
}

// TrustedDevice is one browser.
type TrustedDevice struct {
	ID        string
	UserAgent string
	Address   string // of its last sign-in
	Added     time.Time
	LastUsed  time.Time
	Expires   time.Time
	Current   bool
}

func (p TrustedDevices) meta() meta {
	return meta{name: "trusted", title: "trusted.title", wide: true, viewer: p.Viewer, tab: "account"}
}
