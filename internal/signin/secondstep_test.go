package signin

import (
	"context"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// MF-08, MF-21, SE-02: a password alone starts no session; the code does, with a new secret, and the session tells
// both.
func TestSecondStepStartsTheSession(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		b := n.browser(n.make("ada"))
		b.signIn()
		b.stands("pwd", "1", false, false)
		b.enrol()
		b.stands("pwd otp mfa", "2", true, false)
		if len(b.codes) != 10 {
			t.Fatalf("%d recovery codes", len(b.codes))
		}
		c := b.stranger()
		out, err := c.password(password)
		must(t, err)
		if out.Half == nil || out.Secret != "" || out.Device != "" || !out.Session.ID.IsZero() ||
			len(out.Half.Methods) != 2 || out.Half.Methods[0] != identity.MethodTOTP {
			t.Fatalf("after the password: %+v", out)
		}
		if _, err := n.Tokens.Start(context.Background(), c.by(), out.Session, out.User, "truxe"); err == nil {
			t.Error("tokens for half a sign-in")
		}
		half, err := n.HalfSignIns.Read(context.Background(), BrowserHalf(c.flow), host)
		must(t, err)
		if half.Tries != HalfTries || half.User.ID != c.user.ID {
			t.Errorf("%+v", half)
		}
		_, err = c.totp(c.wrong())
		wants(t, err, identity.CodeInvalidCode)
		if detail(err) != "That code didn't match." {
			t.Error(detail(err))
		}
		code := c.next()
		_, err = c.totp(" " + code[:3] + " " + code[3:])
		must(t, err)
		c.stands("pwd otp mfa", "2", true, false)
		if _, err = c.totp(code); identity.CodeOf(err) != identity.CodeLoginRequired {
			t.Error("the half sign-in lives on:", err)
		}
		if n.audited(audit.AuthnMFARequired) != 1 || n.audited(audit.AuthnMFAFail) != 1 ||
			n.audited(audit.AuthnLoginSuccess) != 2 {
			t.Error("audit is wrong")
		}
	})
}
