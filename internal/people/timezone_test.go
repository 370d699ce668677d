package people

import (
	"context"
	"strings"
	"testing"
	_ "time/tzdata"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// UX section 3, profile: a time zone is one that exists, whatever is sent; it ends with the account.
func TestTimeZoneIsOneThatExists(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	ada := n.make("ada")
	by := n.signedIn(ada)
	for _, zone := range []string{"Europe/Berlin", " America/Argentina/Buenos_Aires ", "Etc/GMT+5", "UTC", ""} {
		must(t, n.SetTimeZone(ctx, by, zone))
		if got, err := n.TimeZone(ctx, ada.ID); err != nil || got != strings.TrimSpace(zone) {
			t.Errorf("%q became %q, %v", zone, got, err)
		}
	}
	before := n.Audited(audit.UserUpdated)
	for _, zone := range []string{"Mars/Olympus", "Local", "../../etc/passwd", "/etc/localtime", `Europe\Berlin`,
		"Europe/Berlin\x00", "Europe/Berlin<b>", "\xff", strings.Repeat("A", 65), "Europe", "Europe/Berlin\n"[:6] + "\n"} {
		wants(t, n.SetTimeZone(ctx, by, zone), identity.CodeInvalidRequest)
	}
	wants(t, n.SetTimeZone(ctx, change.By{}, "UTC"), identity.CodeLoginRequired)
	if got, err := n.TimeZone(ctx, ada.ID); err != nil || got != "" || n.Audited(audit.UserUpdated) != before {
		t.Errorf("zone %q, %v, %d changes in the log, before %d", got, err, n.Audited(audit.UserUpdated), before)
	}
}

// A zone comes from a form: whatever it is, it is refused or a plain name.
func FuzzTimeZone(f *testing.F) {
	for _, seed := range []string{"Europe/Berlin", "Etc/GMT+5", "../x", "Local", "", "\x00", "a//b", "-", "+/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if zoneExists(name) && (len(name) > 64 || strings.ContainsAny(name, "\\.<>&\"' \x00") ||
			strings.HasPrefix(name, "/")) {
			t.Errorf("%q is a time zone", name)
		}
	})
}
