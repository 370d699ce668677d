package signin

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
)

// MF-10: recovery codes are typed in any way, work once, and tell how many are left; a new set voids the old one.
func TestRecoveryCodes(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		b := enrolled(t, n)
		c := b.stranger()
		c.half()
		out, err := c.second(SecondStep{Method: identity.MethodRecovery,
			Code: " " + strings.ToLower(strings.ReplaceAll(b.codes[3], "-", " "))})
		must(t, err)
		if !out.RecoveryUsed || out.RecoveryLeft != 9 || n.audited(audit.RecoveryUsed) != 1 {
			t.Errorf("%+v", out)
		}
		c.stands("pwd recovery mfa", "2", true, false)
		c.half()
		_, err = c.second(SecondStep{Method: identity.MethodRecovery, Code: b.codes[3]})
		wants(t, err, identity.CodeInvalidCode)
		old := b.codes[4]
		b.changed(n.Factors.NewRecoveryCodes(context.Background(), b.by()))
		if shown := n.Factors.ShownCodes(context.Background(), b.signed.Session.ID); len(shown) != 10 ||
			shown[0] != b.codes[0] || len(b.codes) != 10 {
			t.Errorf("shown %d", len(shown))
		}
		c.half()
		for _, code := range []string{old, "", "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ", strings.Repeat("A", 1000)} {
			_, err = c.second(SecondStep{Method: identity.MethodRecovery, Code: code})
			wants(t, err, identity.CodeInvalidCode)
		}
		must2(c.second(SecondStep{Method: identity.MethodRecovery, Code: b.codes[4]}))(t)
	})
}

// MF-10: codes of one person are nothing for another.
func TestRecoveryCodeOfAnotherPerson(t *testing.T) {
	n := sqliteNode(t)
	ada := enrolled(t, n)
	bob := n.browser(n.make("bob"))
	bob.signIn()
	bob.enrol()
	bob.half()
	_, err := bob.second(SecondStep{Method: identity.MethodRecovery, Code: ada.codes[0]})
	wants(t, err, identity.CodeInvalidCode)
}

// New codes are shown again for 10 minutes, to the session that made them, until it has saved them.
func TestNewCodesAreShownToTheirSessionForTenMinutes(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	b := enrolled(t, n)
	if got := n.Factors.ShownCodes(ctx, b.signed.Session.ID); len(got) != 10 ||
		n.Factors.ShownCodes(ctx, identity.NewID()) != nil {
		t.Fatal(len(got))
	}
	raw, _, err := n.rig.Cluster.Get(ctx, "recovery:"+b.signed.Session.ID.String())
	if err != nil || strings.Contains(string(raw), b.codes[0]) {
		t.Error("the codes lie open in the cluster", err)
	}
	other := identity.NewID()
	must(t, n.rig.Cluster.Put(ctx, "recovery:"+other.String(), raw, time.Minute))
	if n.Factors.ShownCodes(ctx, other) != nil {
		t.Error("shown to another session")
	}
	must(t, n.Factors.HideCodes(ctx, b.signed.Session.ID))
	must(t, n.Factors.HideCodes(ctx, b.signed.Session.ID))
	if n.Factors.ShownCodes(ctx, b.signed.Session.ID) != nil {
		t.Error("shown after they were saved")
	}
	must(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: b.next()}))
	b.changed(n.Factors.NewRecoveryCodes(ctx, b.by()))
	n.clock.Move(secondfactor.CodesShown)
	if n.Factors.ShownCodes(ctx, b.signed.Session.ID) != nil {
		t.Error("shown after 10 minutes")
	}
}
