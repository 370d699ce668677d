package view

// Profile is one's own name and address. It posts FieldName and FieldEmail to {base}/account/profile, and FieldAction =
// ActionExport for one's own data as a file or ActionZone with FieldZone.
type Profile struct {
	Viewer      Viewer // as it is stored
	Name, Email string // as typed
	// Pending is a new address that waits for its confirmation; empty: none.
	Pending string
	// FixedEmail: the address cannot be changed here.
	FixedEmail bool
	// Managed: a users_file owns the account; nothing can be changed here.
	Managed  bool
	Problems []Problem
	Zone     *string // as typed, when that was refused
	Saved    bool
}

func (p Profile) meta() meta {
	return meta{name: "profile", title: "profile.title", failed: len(p.Problems) > 0, wide: true, viewer: p.Viewer,
		tab: "account"}
}

// ShownZone is what the field of the time zone holds.
func (p Profile) ShownZone() string {
	if p.Zone != nil {
		return *p.Zone
	}
	return p.Viewer.Zone
}
