package signin

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// MF-10, MF-11, MF-13: without a portal a passkey works on its own host only. On another one a recovery code signs its
// owner in, and later confirms that it is they: until a factor works there, and no longer. Each code once, counted like
// every other try (LK-03), audited; without codes it is said that what they have is elsewhere.
func TestRecoveryCodeConfirmsWhereNoOtherFactorWorks(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		home := n.browser(n.make("ada"))
		home.signIn()
		home.passkey(credentialtest.New(t))
		if len(home.codes) != 10 {
			t.Fatalf("%d codes", len(home.codes))
		}
		away := home.stranger()
		away.host = "other.example.com"
		away.half()
		must2(away.second(SecondStep{Method: identity.MethodRecovery, Code: home.codes[0]}))(t)
		n.clock.Move(change.FreshFor + time.Minute)
		methods := func(b *browser) string {
			t.Helper()
			list, missing, err := n.Confirmations.Methods(ctx, b.by(), identity.Assurance{MFA: true, MaxAge: change.FreshFor},
				b.host)
			must(t, err)
			return strings.Join(list, " ") + missing
		}
		if got := methods(away); got != identity.MethodRecovery {
			t.Fatalf("ways: %s", got)
		}
		wants(t, n.rig.Changes.CheckFresh(ctx, away.by().Principal), identity.CodeStepUpRequired)
		// it signed in
		wants(t, away.confirm(ConfirmStep{Method: identity.MethodRecovery, Code: home.codes[0]}), identity.CodeInvalidCode)
		wants(t, away.confirm(ConfirmStep{Method: identity.MethodRecovery, Code: "nonsense"}), identity.CodeInvalidCode)
		old := away.cookie
		must(t, away.confirm(ConfirmStep{Method: identity.MethodRecovery, Code: home.codes[1]}))
		if live, _ := n.rig.Sessions.Find(ctx, old, away.host); away.cookie == old || live != nil ||
			n.audited(audit.RecoveryUsed) != 2 {
			t.Errorf("new secret %v, the old one lives %v, %d uses in the log", away.cookie != old, live != nil,
				n.audited(audit.RecoveryUsed))
		}
		wants(t, away.confirm(ConfirmStep{Method: identity.MethodRecovery, Code: home.codes[1]}), identity.CodeInvalidCode)
		must(t, n.rig.Changes.CheckFresh(ctx, away.by().Principal))
		away.stands("pwd recovery mfa", identity.ACRMFA, true, false)

		// Where another factor works, a code is not taken and not used up.
		wants(t, home.confirm(ConfirmStep{Method: identity.MethodRecovery, Code: home.codes[2]}), identity.CodeInvalidRequest)
		away.passkey(credentialtest.New(t))
		if got := methods(away); got != identity.MethodPasskey {
			t.Errorf("ways with a passkey of this host: %s", got)
		}
		wants(t, away.confirm(ConfirmStep{Method: identity.MethodRecovery, Code: home.codes[2]}), identity.CodeInvalidRequest)
		if f, err := n.Factors.Of(ctx, away.user.ID, away.host); err != nil || f.RecoveryLeft != 8 {
			t.Errorf("%d codes left, %v", f.RecoveryLeft, err)
		}

		// A third host, when the codes are gone.
		third := home.stranger()
		third.host = "third.example.com"
		third.half()
		must2(third.second(SecondStep{Method: identity.MethodRecovery, Code: home.codes[2]}))(t)
		must(t, n.st.ReplaceRecoveryCodes(ctx, third.user.ID, nil, n.clock.Now()))
		if got := methods(third); got != Elsewhere {
			t.Errorf("ways without codes: %s", got)
		}
	})
}
