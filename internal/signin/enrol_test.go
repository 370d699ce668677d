package signin

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// PW-01: beside a second factor a password of 8 characters is enough. Then the last factor cannot be removed, and after
// a reset by the host operator a new one is due at the next sign-in: the short password is never the only factor.
func TestShortPasswordIsNeverTheOnlyFactor(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		b := n.browser(n.make("ada"))
		b.signIn()
		_, err := n.Passwords.Change(ctx, b.by(), home, password, "kxvb73qz", true)
		wants(t, err, identity.CodePasswordRefused)
		b.enrol()
		_, err = n.Passwords.Change(ctx, b.by(), home, password, "kxvb73q", true)
		wants(t, err, identity.CodePasswordRefused)
		b.cookie, err = n.Passwords.Change(ctx, b.by(), home, password, "kxvb73qz", true)
		must(t, err)
		_, err = n.Factors.RemoveTOTP(ctx, b.by())
		wants(t, err, identity.CodeConflict)
		if detail(err) != "Choose a password of at least 15 characters first." {
			t.Error(detail(err))
		}
		must(t, n.Factors.Reset(ctx, change.By{Via: "cli"}, b.user.ID))
		n.clock.Move(time.Second)
		out, err := b.password("kxvb73qz")
		must(t, err)
		if out.Half == nil || len(out.Half.Enrol) != 2 {
			t.Fatalf("the short password is the only factor: %+v", out)
		}
		n.setPassword(b.user.ID, password)
		n.clock.Move(time.Second)
		b.signIn()
		b.enrol()
		b.changed(n.Factors.RemoveTOTP(ctx, b.by()))
	})
}

// Users who must have a second factor keep one; users without a password keep a passkey.
func TestLastFactorOfAUserWhoNeedsOneStays(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	n.Factors.mfa = MFARule{Required: true, Roles: []string{"staff"}}
	b := n.browser(n.make("ada", "staff"))
	c := n.browser(n.make("bob", "guest"))
	c.signIn() // not for bob
	n.Factors.mfa.Required = false
	b.signIn()
	n.Factors.mfa.Required = true
	p := b.passkey(credentialtest.New(t))
	_, err := n.Factors.RemovePasskey(ctx, b.by(), p.ID)
	wants(t, err, identity.CodeConflict)
	b.enrol()
	b.changed(n.Factors.RemovePasskey(ctx, b.by(), p.ID))
	_, err = n.Factors.RemoveTOTP(ctx, b.by())
	wants(t, err, identity.CodeConflict)

	n.Factors.mfa = MFARule{}
	p = b.passkey(credentialtest.New(t))
	b.changed(n.Factors.RemoveTOTP(ctx, b.by()))
	must(t, n.st.SetPassword(ctx, b.user.ID, "", n.clock.Now(), time.Time{}))
	_, err = n.Factors.RemovePasskey(ctx, b.by(), p.ID)
	wants(t, err, identity.CodeConflict)
	if !strings.Contains(detail(err), "last way to sign in") {
		t.Error(detail(err))
	}
}

// R6, MF-08: a user who must have a second factor and has none sets one up within the sign-in. There is no session
// before, and then it is proven by both.
func TestRequiredFactorIsSetUpWithinTheSignIn(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		n.Factors.mfa = MFARule{Required: true}
		b := n.browser(n.make("ada"))
		out, err := b.password(password)
		must(t, err)
		if out.Half == nil || len(out.Half.Methods) != 0 ||
			!slices.Equal(out.Half.Enrol, []string{identity.MethodTOTP, identity.MethodPasskey}) || b.cookie != "" {
			t.Fatalf("%+v", out)
		}
		setup, err := n.HalfSignIns.BeginTOTP(ctx, BrowserHalf(b.flow), host)
		must(t, err)
		b.key = setup.Key
		// an attacker who knows the password sees another key, and cannot confirm the victim's with it
		thief := b.stranger()
		must2(thief.password(password))(t)
		if other, err := n.HalfSignIns.BeginTOTP(ctx, BrowserHalf(thief.flow), host); err != nil || other.Key == setup.Key {
			t.Fatal("the key of another half sign-in is shown", err)
		}
		_, err = b.second(SecondStep{Enrol: true, Method: identity.MethodTOTP, Code: b.code(0)})
		wants(t, err, identity.CodeInvalidRequest)
		if setup, err = n.HalfSignIns.BeginTOTP(ctx, BrowserHalf(b.flow), host); err != nil {
			t.Fatal(err)
		}
		b.key = setup.Key
		if again, err := n.HalfSignIns.BeginTOTP(ctx, BrowserHalf(b.flow), host); err != nil || again.Key != setup.Key {
			t.Error("the key changed at a reload", err)
		}
		_, err = b.second(SecondStep{Enrol: true, Method: identity.MethodTOTP, Code: b.code(6)})
		if detail(err) != "That code didn't match. Your phone's clock looks about 3 minutes fast. Turn on automatic time and try again." {
			t.Error(err)
		}
		for _, wrong := range []SecondStep{{Method: identity.MethodTOTP, Code: b.code(0)},
			{Enrol: true, Method: identity.MethodRecovery, Code: "x"}, {Enrol: true, Method: "sms"}} {
			_, err = b.second(wrong)
			wants(t, err, identity.CodeInvalidRequest)
		}
		if out, err = b.second(SecondStep{Enrol: true, Method: identity.MethodTOTP, Code: b.code(0)}); err != nil ||
			len(out.Codes) != 10 || !b.in() {
			t.Fatal(err)
		}
		b.stands("pwd otp mfa", "2", true, false)
		if len(n.Factors.ShownCodes(ctx, out.Session.ID)) != 10 || n.audited(audit.AuthnMFAEnabled) != 1 {
			t.Error("no codes, or no record")
		}
		// the thief's half sign-in is void, and no new one lets them add a factor
		_, err = thief.second(SecondStep{Enrol: true, Method: identity.MethodTOTP, Code: b.code(1)})
		wants(t, err, identity.CodeLoginRequired)
		thief.half()
		if _, err = n.HalfSignIns.BeginTOTP(ctx, BrowserHalf(thief.flow),
			host); identity.CodeOf(err) != identity.CodeInvalidRequest {
			t.Error("a key for who knows the password only:", err)
		}
		key := BrowserHalf(thief.flow)
		if _, err = n.Challenges.Begin(ctx, PasskeyBegin{For: PasskeyCreate, Host: host, Bound: thief.flow,
			Half: &key}); identity.CodeOf(err) != identity.CodeInvalidRequest {
			t.Error("a passkey for who knows the password only:", err)
		}
		_, err = thief.second(SecondStep{Enrol: true, Method: identity.MethodPasskey, Passkey: []byte("{}")})
		wants(t, err, identity.CodeInvalidRequest)

		c, a := n.browser(n.make("bob")), credentialtest.New(t)
		must2(c.password(password))(t)
		out, err = c.second(SecondStep{Enrol: true, Method: identity.MethodPasskey,
			Passkey: a.Create(t, c.options(PasskeyCreate), origin), Name: "Key"})
		if err != nil || len(out.Codes) != 10 {
			t.Fatal(err)
		}
		c.stands("pwd hwk user mfa", "3", true, true)
		d := c.stranger()
		must2(d.alone(a.Get(t, d.options(PasskeySignIn), origin)))(t)
	})
}
