package signin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ED-10 R14 a stranger who goes on after his limit is reached does not fill the audit log: of 1,000 tries with names
// that exist and do not, from one address and many, a few rows stay, whose numbers add up to what was refused.
func TestLimitedSignInsAreCountedAndNotWritten(t *testing.T) {
	n := sqliteNode(t)
	ada := n.make("ada")
	n.make("bob")
	refused := 0
	for i := range 1000 {
		name, address := "ada", netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
		if i%2 == 1 { // the address's limit is reached
			name, address = []string{"bob", fmt.Sprint("stranger", i)}[i/2%2], netip.MustParseAddr("192.0.2.7")
		}
		_, err := n.SignIns.WithPassword(context.Background(),
			PasswordTry{Login: name, Password: "wrong", Address: address, Kind: session.Browser,
				By: change.By{IP: address.String(), Host: host}})
		if identity.CodeOf(err) == identity.CodeRateLimited {
			refused++
		} else if identity.CodeOf(err) != identity.CodeInvalidCredentials {
			t.Fatal(err)
		}
	}
	must(t, n.rig.Changes.Audit.Close(context.Background()))
	rows, err := n.st.ListAudit(context.Background(), store.AuditFilter{Event: audit.AuthnLoginLock, Limit: 1000})
	must(t, err)
	sum, of := 0, map[string]bool{}
	for _, row := range rows {
		var line struct {
			Outcome, Reason string
			Subject         audit.Subject
			Details         map[string]string
		}
		must(t, json.Unmarshal(row.Line, &line))
		if line.Outcome != "refused" || line.Reason != string(identity.CodeRateLimited) {
			t.Errorf("%s", row.Line)
		}
		more, _ := strconv.Atoi(line.Details["suppressed"])
		if sum += more; line.Details["first"] == "" {
			sum++
		}
		of[line.Subject.ID] = true
	}
	if refused < 900 || sum != refused || len(rows) > 8 {
		t.Errorf("%d rows tell of %d refused tries, of %d", len(rows), sum, refused)
	}
	if !of[ada.ID.String()] || !of[""] {
		t.Errorf("rows are about %v", of)
	}
}
