package account

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
	b := n.browser(n.make("ada"))
	b.signIn()
	for _, zone := range []string{"Europe/Berlin", " America/Argentina/Buenos_Aires ", "Etc/GMT+5", "UTC", ""} {
		must(t, n.SetTimeZone(ctx, b.by(), zone))
		if got, err := n.TimeZone(ctx, b.user.ID); err != nil || got != strings.TrimSpace(zone) {
			t.Errorf("%q became %q, %v", zone, got, err)
		}
	}
	before := n.audited(audit.UserUpdated)
	for _, zone := range []string{"Mars/Olympus", "Local", "../../etc/passwd", "/etc/localtime", `Europe\Berlin`, "Europe/Berlin\x00", "Europe/Berlin<b>", "\xff", strings.Repeat("A", 65), "Europe", "Europe/Berlin\n"[:6] + "\n"} {
		wants(t, n.SetTimeZone(ctx, b.by(), zone), identity.CodeInvalidRequest)
	}
	wants(t, n.SetTimeZone(ctx, change.By{}, "UTC"), identity.CodeLoginRequired)
	if got, err := n.TimeZone(ctx, b.user.ID); err != nil || got != "" || n.audited(audit.UserUpdated) != before {
		t.Errorf("zone %q, %v, %d changes in the log, before %d", got, err, n.audited(audit.UserUpdated), before)
	}
}

// A zone comes from a form: whatever it is, it is refused or a plain name.
func FuzzTimeZone(f *testing.F) {
	for _, seed := range []string{"Europe/Berlin", "Etc/GMT+5", "../x", "Local", "", "\x00", "a//b", "-", "+/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if zoneExists(name) && (len(name) > 64 || strings.ContainsAny(name, "\\.<>&\"' \x00") || strings.HasPrefix(name, "/")) {
			t.Errorf("%q is a time zone", name)
		}
	})
}
