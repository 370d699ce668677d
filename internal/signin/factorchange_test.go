package signin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// MF-13: every change of factors asks for a proof of the last 5 minutes, and for a second factor where there is one:
// the password alone, however fresh, changes nothing then.
func TestFactorsChangeOnlyAfterAFreshProof(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	b, a := withPasskey(t, n, "ada")
	b.enrol()
	changes := map[string]func(change.By) error{
		"begin totp": func(by change.By) error { _, err := n.Factors.BeginTOTP(ctx, by); return err },
		"confirm totp": func(by change.By) error {
			_, _, err := n.Factors.ConfirmTOTP(ctx, by, home,
				"123456")
			return err
		},
		"remove totp": func(by change.By) error { _, err := n.Factors.RemoveTOTP(ctx, by); return err },
		"new codes":   func(by change.By) error { _, err := n.Factors.NewRecoveryCodes(ctx, by); return err },
		"begin passkey": func(by change.By) error {
			_, err := n.Challenges.Begin(ctx, PasskeyBegin{For: PasskeyCreate, Host: host, Bound: by.Principal.SessionID,
				By: by})
			return err
		},
		"add passkey": func(by change.By) error {
			_, _, err := n.Factors.AddPasskey(ctx, by, []byte("{}"),
				"")
			return err
		},
		"rename passkey": func(by change.By) error {
			return n.Factors.RenamePasskey(ctx, by, onlyPasskey(t, n, "ada"),
				"x")
		},
		"remove passkey": func(by change.By) error {
			_, err := n.Factors.RemovePasskey(ctx, by, onlyPasskey(t, n, "ada"))
			return err
		},
		"reset":       func(by change.By) error { return n.Factors.Reset(ctx, by, b.user.ID) },
		"new address": func(by change.By) error { return n.UpdateProfile(ctx, by, "Ada", "new@example.com") },
	}
	refuse := func(why string) {
		t.Helper()
		for name, do := range changes {
			err := do(b.by())
			if identity.CodeOf(err) != identity.CodeStepUpRequired {
				t.Errorf("%s, %s: %v", why, name, err)
			}
			if ask := asked(err); !ask.MFA || ask.MaxAge != change.FreshFor {
				t.Errorf("%s, %s asks %+v", why, name, ask)
			}
		}
	}
	n.clock.Move(change.FreshFor + time.Second)
	refuse("old")
	must(t, b.confirm(ConfirmStep{Method: identity.MethodPassword, Password: password}))
	refuse("a password only")
	must(t, n.UpdateProfile(ctx, b.by(), "Ada L.", "ada@example.com")) // the name asks for nothing
	must(t, b.confirm(ConfirmStep{Method: identity.MethodPasskey, Passkey: a.Get(t, b.options(PasskeyConfirm), origin)}))
	b.stands("pwd hwk user mfa otp", "3", true, true)
	must(t, n.Factors.RenamePasskey(ctx, b.by(), onlyPasskey(t, n, "ada"), "Laptop"))
	must(t, n.UpdateProfile(ctx, b.by(), "Ada", "new@example.com"))
	b.changed(n.Factors.RemoveTOTP(ctx, b.by()))
	if n.audited(audit.AuthnMFAConfirmed) != 1 || n.audited(audit.AuthnMFARemoved) != 1 {
		t.Error("audit is wrong")
	}
	wants(t, n.rig.Changes.CheckFresh(ctx, nil), identity.CodeLoginRequired)
	wants(t, n.rig.Changes.CheckFresh(ctx, &identity.Principal{UserID: "https://idp|x",
		Proof: identity.Proof{AuthTime: n.clock.Now()}}),
		identity.CodeForbidden)
}

func asked(err error) identity.Assurance {
	var e *identity.Error
	if !errors.As(err, &e) {
		return identity.Assurance{}
	}
	return e.Ask
}

// SE-02: each confirmation and change of a factor gives a new secret, and the old one is dead at once.
func TestEveryProofGivesANewSecret(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		b, a := withPasskey(t, n, "ada")
		steps := map[string]func(){
			"password": func() { must(t, b.confirm(ConfirmStep{Method: identity.MethodPassword, Password: password})) },
			"passkey": func() {
				must(t, b.confirm(ConfirmStep{Method: identity.MethodPasskey,
					Passkey: a.Get(t, b.options(PasskeyConfirm), origin)}))
			},
			"enrol":       b.enrol,
			"codes":       func() { b.changed(n.Factors.NewRecoveryCodes(ctx, b.by())) },
			"totp":        func() { must(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: b.next()})) },
			"remove totp": func() { b.changed(n.Factors.RemoveTOTP(ctx, b.by())) },
			"new password": func() {
				cookie, err := n.Passwords.Change(ctx, b.by(), home, password, password+" x", true)
				must(t, err)
				b.cookie = cookie
			},
		}
		for _, name := range []string{"password", "passkey", "enrol", "codes", "totp", "remove totp", "new password"} {
			old := b.cookie
			if steps[name](); b.cookie == old || !b.in() {
				t.Errorf("%s: no new secret", name)
			}
			if live, err := n.rig.Sessions.Find(ctx, old, host); live != nil || err != nil {
				t.Errorf("%s: the old secret works: %v", name, err)
			}
		}
	})
}

// MF-22: a trusted browser is a record: it is asked for no code for 30 days, and again after a new password, any change
// of a factor, "Forget", and the 30 days. What it starts proves the password only (MF-21).
func TestTrustEndsWithPasswordFactorAndTime(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	b := enrolled(t, n)
	trusted := b.stranger()
	for name, end := range map[string]func(){
		"time":     func() { n.clock.Move(TrustLife) },
		"password": func() { n.setPassword(b.user.ID, password) },
		"forget": func() {
			list, err := n.Devices.Trusted(ctx, b.user.ID)
			if err != nil || len(list) != 1 || list[0].ID != n.Devices.ID(ctx, b.user.ID, trusted.device) {
				t.Error(list, err)
			}
			must(t, n.Devices.Forget(ctx, trusted.by(), list[0].ID))
			wants(t, n.Devices.Forget(ctx, trusted.by(), list[0].ID), identity.CodeNotFound)
		},
		"forget all": func() { must(t, n.Devices.Forget(ctx, trusted.by(), identity.ID{})) },
		"a new passkey": func() {
			must(t, trusted.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: trusted.next()}))
			trusted.passkey(credentialtest.New(t))
		},
		"new codes": func() {
			must(t, trusted.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: trusted.next()}))
			trusted.changed(n.Factors.NewRecoveryCodes(ctx, trusted.by()))
		},
		"another app": func() {
			must(t, trusted.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: trusted.next()}))
			n.clock.Move(time.Minute)
			trusted.enrol()
		},
	} {
		n.clock.Move(10 * time.Minute)
		trusted.trust = true
		trusted.half()
		must2(trusted.totp(trusted.next()))(t)
		trusted.trust = false
		out, err := trusted.password(password)
		must(t, err)
		if out.Half != nil {
			t.Fatalf("%s: the trusted browser is asked", name)
		}
		trusted.stands("pwd", "1", false, false)
		thief := trusted.stranger()
		thief.device, _ = session.NewSecret()
		thief.half()
		end()
		n.clock.Move(time.Minute)
		if out, err := trusted.password(password); err != nil || out.Half == nil {
			t.Errorf("%s: still trusted: %v", name, err)
		}
	}
	if n.audited(audit.DeviceTrusted) != 7 {
		t.Error(n.audited(audit.DeviceTrusted))
	}
}

// MF-22: another person's trusted browser is not trusted.
func TestTrustIsOfOnePerson(t *testing.T) {
	n := sqliteNode(t)
	ada := enrolled(t, n).stranger()
	ada.trust = true
	ada.half()
	must2(ada.totp(ada.next()))(t)
	bob := n.browser(n.make("bob"))
	bob.signIn()
	bob.enrol()
	bob.device = ada.device
	bob.half()
	if !n.Devices.ID(context.Background(), bob.user.ID, ada.device).IsZero() {
		t.Error("it is bob's device")
	}
}

// MF-22: a change of a factor ends what other browsers were to keep, and API sessions that never showed a second
// factor; half sign-ins are void. The browser where it happens stays.
func TestFactorChangeEndsRememberedSessions(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		b := n.browser(n.make("ada"))
		kept, short := b.stranger(), b.stranger()
		kept.remember = true
		for _, c := range []*browser{b, kept, short} {
			c.signIn()
		}
		api, err := n.SignIns.WithPassword(ctx, PasswordTry{Login: "ada", Password: password, Kind: session.API,
			By: b.stranger().by()})
		must(t, err)
		tokens, err := n.Tokens.Start(ctx, short.by(), api.Session, api.User, "truxe")
		must(t, err)
		b.enrol()
		if kept.in() || !short.in() || !b.in() {
			t.Errorf("kept %v, short %v, own %v", kept.in(), short.in(), b.in())
		}
		_, err = n.Tokens.Refresh(ctx, change.By{}, tokens.Refresh) // a person with TOTP on the old password-only path
		wants(t, err, identity.CodeInvalidGrant)
		half := b.stranger()
		half.half()
		b.changed(n.Factors.NewRecoveryCodes(ctx, b.by()))
		_, err = half.totp(half.next())
		wants(t, err, identity.CodeLoginRequired)
	})
}

// MF-12 (as far as it exists): a password set by the owner of the machine neither removes the factor nor signs in past
// it, and half sign-ins with the old password are void.
func TestNewPasswordDoesNotRemoveTheFactor(t *testing.T) {
	n := sqliteNode(t)
	b := enrolled(t, n).stranger()
	b.half()
	n.setPassword(b.user.ID, "another long enough sentence")
	_, err := b.totp(b.next())
	wants(t, err, identity.CodeLoginRequired)
	out, err := b.password("another long enough sentence")
	must(t, err)
	if out.Half == nil {
		t.Error("signed in past the factor")
	}
	must2(b.totp(b.next()))(t)
}

// MF-20: an administrator or the owner of the machine removes every factor, and it stops at once; so does a person.
func TestResetRemovesEveryFactor(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		b, a := withPasskey(t, n, "ada")
		b.enrol()
		half, alone := b.stranger(), b.stranger()
		half.half()
		answer := a.Get(t, alone.options(PasskeySignIn), origin)
		must(t, n.Factors.Reset(ctx, change.By{Via: "cli"}, b.user.ID))
		if b.in() {
			t.Error("the session lives on")
		}
		_, err := alone.alone(answer)
		wants(t, err, identity.CodeInvalidCredentials)
		_, err = half.totp(half.next())
		wants(t, err, identity.CodeLoginRequired)
		n.clock.Move(time.Second)
		if out, err := half.password(password); err != nil || out.Half != nil {
			t.Error("a factor is left", err)
		}
		f, err := n.Factors.Of(ctx, b.user.ID, host)
		if err != nil || f.Any() || f.RecoveryLeft != 0 || n.audited(audit.AuthnMFAReset) != 1 {
			t.Errorf("%+v %v", f, err)
		}
		wants(t, n.Factors.Reset(ctx, change.By{Via: "cli"}, identity.NewID()), identity.CodeNotFound)

		half.enrol()
		half.changed(n.Factors.RemoveTOTP(ctx, half.by()))
		if f, _ := n.Factors.Of(ctx, b.user.ID, host); f.RecoveryLeft != 0 {
			t.Error("recovery codes without a factor are left")
		}
		if out, err := b.stranger().password(password); err != nil || out.Half != nil {
			t.Error("the removed app is asked for", err)
		}
		_, err = n.Factors.NewRecoveryCodes(ctx, half.by())
		wants(t, err, identity.CodeConflict)
	})
}

// One's own name and address; a managed account belongs to its file. What happened is read back newest first.
func TestProfileAndActivity(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	b := enrolled(t, n)
	wants(t, n.UpdateProfile(ctx, b.by(), strings.Repeat("x", 129), "ada@example.com"), identity.CodeInvalidRequest)
	wants(t, n.UpdateProfile(ctx, b.by(), "a\nb", "ada@example.com"), identity.CodeInvalidRequest)
	wants(t, n.UpdateProfile(ctx, b.by(), "Ada", "no address"), identity.CodeInvalidRequest)
	must(t, n.UpdateProfile(ctx, b.by(), "Ada", "ada@example.com"))
	n.make("bob")
	wants(t, n.UpdateProfile(ctx, b.by(), "Ada", "bob@example.com"), identity.CodeConflict)
	rows, err := n.Activity(ctx, b.user.ID, 0, 2)
	if err != nil || len(rows) != 2 || rows[0].Seq <= rows[1].Seq || rows[0].Event != audit.UserUpdated {
		t.Errorf("%+v %v", rows, err)
	}
	older, err := n.Activity(ctx, b.user.ID, rows[1].Seq, 100)
	if err != nil || len(older) == 0 || older[0].Seq >= rows[1].Seq {
		t.Errorf("%+v %v", older, err)
	}
	for _, r := range append(rows, older...) {
		if strings.Contains(string(r.Line), b.key.Text()) || strings.Contains(string(r.Line), b.codes[0]) {
			t.Errorf("a secret is in %s", r.Line)
		}
	}
	managed := "users_file"
	must2(n.UpdateUser(ctx, change.By{Via: "cli"}, b.user.ID, store.UserChange{Managed: &managed}))(t)
	wants(t, n.UpdateProfile(ctx, b.by(), "Ada", "ada@example.com"), identity.CodeForbidden)
}
