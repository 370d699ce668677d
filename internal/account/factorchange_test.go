package account

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// MF-13: every change of factors asks for a proof of the last 5 minutes, and for a second factor where there is one: the
// password alone, however fresh, changes nothing then.
func TestFactorsChangeOnlyAfterAFreshProof(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	b, a := withPasskey(t, n, "ada")
	b.enrol()
	changes := map[string]func(By) error{
		"begin totp":   func(by By) error { _, err := n.BeginTOTP(ctx, by); return err },
		"confirm totp": func(by By) error { _, _, err := n.ConfirmTOTP(ctx, by, home, "123456"); return err },
		"remove totp":  func(by By) error { _, err := n.RemoveTOTP(ctx, by); return err },
		"new codes":    func(by By) error { _, err := n.NewRecoveryCodes(ctx, by); return err },
		"begin passkey": func(by By) error {
			_, err := n.BeginPasskey(ctx, PasskeyBegin{For: PasskeyCreate, Host: host, Bound: by.Principal.SessionID, By: by})
			return err
		},
		"add passkey":    func(by By) error { _, _, err := n.AddPasskey(ctx, by, []byte("{}"), ""); return err },
		"rename passkey": func(by By) error { return n.RenamePasskey(ctx, by, onlyPasskey(t, n, "ada"), "x") },
		"remove passkey": func(by By) error { _, err := n.RemovePasskey(ctx, by, onlyPasskey(t, n, "ada")); return err },
		"reset":          func(by By) error { return n.ResetMFA(ctx, by, b.user.ID) },
		"new address":    func(by By) error { return n.UpdateProfile(ctx, by, "Ada", "new@example.com") },
	}
	refuse := func(why string) {
		t.Helper()
		for name, change := range changes {
			err := change(b.by())
			if identity.CodeOf(err) != identity.CodeStepUpRequired {
				t.Errorf("%s, %s: %v", why, name, err)
			}
			if ask := asked(err); !ask.MFA || ask.MaxAge != FreshFor {
				t.Errorf("%s, %s asks %+v", why, name, ask)
			}
		}
	}
	n.clock.move(FreshFor + time.Second)
	refuse("old")
	must(t, b.confirm(ConfirmStep{Method: identity.MethodPassword, Password: password}))
	refuse("a password only")
	must(t, n.UpdateProfile(ctx, b.by(), "Ada L.", "ada@example.com")) // the name asks for nothing
	must(t, b.confirm(ConfirmStep{Method: identity.MethodPasskey, Passkey: a.Get(t, b.options(PasskeyConfirm), origin)}))
	b.stands("pwd hwk user mfa otp", "3", true, true)
	must(t, n.RenamePasskey(ctx, b.by(), onlyPasskey(t, n, "ada"), "Laptop"))
	must(t, n.UpdateProfile(ctx, b.by(), "Ada", "new@example.com"))
	b.changed(n.RemoveTOTP(ctx, b.by()))
	if n.audited(audit.AuthnMFAConfirmed) != 1 || n.audited(audit.AuthnMFARemoved) != 1 {
		t.Error("audit is wrong")
	}
	wants(t, n.CheckFresh(ctx, nil), identity.CodeLoginRequired)
	wants(t, n.CheckFresh(ctx, &identity.Principal{UserID: "https://idp|x", AuthTime: n.clock.now()}), identity.CodeForbidden)
}

func asked(err error) identity.Assurance {
	var e *identity.Error
	for err != nil {
		if known, ok := err.(*identity.Error); ok {
			e = known
			break
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			break
		}
		err = u.Unwrap()
	}
	if e == nil {
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
				must(t, b.confirm(ConfirmStep{Method: identity.MethodPasskey, Passkey: a.Get(t, b.options(PasskeyConfirm), origin)}))
			},
			"enrol":       b.enrol,
			"codes":       func() { b.changed(n.NewRecoveryCodes(ctx, b.by())) },
			"totp":        func() { must(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: b.next()})) },
			"remove totp": func() { b.changed(n.RemoveTOTP(ctx, b.by())) },
			"new password": func() {
				cookie, err := n.ChangePassword(ctx, b.by(), home, password, password+" x", true)
				must(t, err)
				b.cookie = cookie
			},
		}
		for _, name := range []string{"password", "passkey", "enrol", "codes", "totp", "remove totp", "new password"} {
			old := b.cookie
			if steps[name](); b.cookie == old || !b.in() {
				t.Errorf("%s: no new secret", name)
			}
			if live, err := n.Sessions.Find(ctx, old, host); live != nil || err != nil {
				t.Errorf("%s: the old secret works: %v", name, err)
			}
		}
	})
}

// MF-22: a trusted browser is a record: it is asked for no code for 30 days, and again after a new password, any change of
// a factor, "Forget", and the 30 days. What it starts proves the password only (MF-21).
func TestTrustEndsWithPasswordFactorAndTime(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	b := enrolled(t, n)
	trusted := b.stranger()
	for name, end := range map[string]func(){
		"time":     func() { n.clock.move(TrustLife) },
		"password": func() { must(t, n.SetPassword(ctx, By{Via: "cli"}, b.user.ID, password)) },
		"forget": func() {
			list, err := n.TrustedDevices(ctx, b.user.ID)
			if err != nil || len(list) != 1 || list[0].ID != n.DeviceID(ctx, b.user.ID, trusted.device) {
				t.Error(list, err)
			}
			must(t, n.ForgetDevice(ctx, trusted.by(), list[0].ID))
			wants(t, n.ForgetDevice(ctx, trusted.by(), list[0].ID), identity.CodeNotFound)
		},
		"forget all": func() { must(t, n.ForgetDevice(ctx, trusted.by(), identity.ID{})) },
		"a new passkey": func() {
			must(t, trusted.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: trusted.next()}))
			trusted.passkey(credentialtest.New(t))
		},
		"new codes": func() {
			must(t, trusted.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: trusted.next()}))
			trusted.changed(n.NewRecoveryCodes(ctx, trusted.by()))
		},
		"another app": func() {
			must(t, trusted.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: trusted.next()}))
			n.clock.move(time.Minute)
			trusted.enrol()
		},
	} {
		n.clock.move(10 * time.Minute)
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
		thief.device, _ = secret.NewSessionSecret()
		thief.half()
		end()
		n.clock.move(time.Minute)
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
	if !n.DeviceID(context.Background(), bob.user.ID, ada.device).IsZero() {
		t.Error("it is bob's device")
	}
}

// MF-22: a change of a factor ends what other browsers were to keep, and API sessions that never showed a second factor;
// half sign-ins are void. The browser where it happens stays.
func TestFactorChangeEndsRememberedSessions(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		b := n.browser(n.make("ada"))
		kept, short := b.stranger(), b.stranger()
		kept.remember = true
		for _, c := range []*browser{b, kept, short} {
			c.signIn()
		}
		api, err := n.SignIn(ctx, SignIn{Login: "ada", Password: password, Kind: session.API, By: b.stranger().by()})
		must(t, err)
		tokens, err := n.StartTokens(ctx, short.by(), api, "truxe")
		must(t, err)
		b.enrol()
		if kept.in() || !short.in() || !b.in() {
			t.Errorf("kept %v, short %v, own %v", kept.in(), short.in(), b.in())
		}
		_, err = n.Refresh(ctx, By{}, tokens.Refresh) // a person with TOTP on the old password-only path
		wants(t, err, identity.CodeInvalidGrant)
		half := b.stranger()
		half.half()
		b.changed(n.NewRecoveryCodes(ctx, b.by()))
		_, err = half.totp(half.next())
		wants(t, err, identity.CodeLoginRequired)
	})
}

// MF-12 (as far as it exists): a password set by the owner of the machine neither removes the factor nor signs in past it,
// and half sign-ins with the old password are void.
func TestNewPasswordDoesNotRemoveTheFactor(t *testing.T) {
	n := sqliteNode(t)
	b := enrolled(t, n).stranger()
	b.half()
	must(t, n.SetPassword(context.Background(), By{Via: "cli"}, b.user.ID, "another long enough sentence"))
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
		must(t, n.ResetMFA(ctx, By{Via: "cli"}, b.user.ID))
		if b.in() {
			t.Error("the session lives on")
		}
		_, err := alone.alone(answer)
		wants(t, err, identity.CodeInvalidCredentials)
		_, err = half.totp(half.next())
		wants(t, err, identity.CodeLoginRequired)
		n.clock.move(time.Second)
		if out, err := half.password(password); err != nil || out.Half != nil {
			t.Error("a factor is left", err)
		}
		f, err := n.Factors(ctx, b.user.ID, host)
		if err != nil || f.Any() || f.RecoveryLeft != 0 || n.audited(audit.AuthnMFAReset) != 1 {
			t.Errorf("%+v %v", f, err)
		}
		wants(t, n.ResetMFA(ctx, By{Via: "cli"}, identity.NewID()), identity.CodeNotFound)

		half.enrol()
		half.changed(n.RemoveTOTP(ctx, half.by()))
		if f, _ := n.Factors(ctx, b.user.ID, host); f.RecoveryLeft != 0 {
			t.Error("recovery codes without a factor are left")
		}
		if out, err := b.stranger().password(password); err != nil || out.Half != nil {
			t.Error("the removed app is asked for", err)
		}
		_, err = n.NewRecoveryCodes(ctx, half.by())
		wants(t, err, identity.CodeConflict)
	})
}

// PW-01: beside a second factor a password of 8 characters will do; then the last factor cannot go, and after a reset by
// the owner of the machine a new one is due at the next sign-in: the short password never stands alone.
func TestShortPasswordNeverStandsAlone(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		b := n.browser(n.make("ada"))
		b.signIn()
		_, err := n.ChangePassword(ctx, b.by(), home, password, "kxvb73qz", true)
		wants(t, err, identity.CodePasswordRefused)
		b.enrol()
		_, err = n.ChangePassword(ctx, b.by(), home, password, "kxvb73q", true)
		wants(t, err, identity.CodePasswordRefused)
		b.cookie, err = n.ChangePassword(ctx, b.by(), home, password, "kxvb73qz", true)
		must(t, err)
		_, err = n.RemoveTOTP(ctx, b.by())
		wants(t, err, identity.CodeConflict)
		if detail(err) != "Choose a password of at least 15 characters first." {
			t.Error(detail(err))
		}
		must(t, n.ResetMFA(ctx, By{Via: "cli"}, b.user.ID))
		n.clock.move(time.Second)
		out, err := b.password("kxvb73qz")
		must(t, err)
		if out.Half == nil || len(out.Half.Enrol) != 2 {
			t.Fatalf("the short password stands alone: %+v", out)
		}
		must(t, n.SetPassword(ctx, By{Via: "cli"}, b.user.ID, password))
		n.clock.move(time.Second)
		b.signIn()
		b.enrol()
		b.changed(n.RemoveTOTP(ctx, b.by()))
	})
}

// Who must have a second factor keeps one; who has no password keeps a passkey.
func TestLastFactorOfSomebodyWhoNeedsOneStays(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	n.MFA = MFARule{Required: true, Roles: []string{"staff"}}
	b := n.browser(n.make("ada", "staff"))
	c := n.browser(n.make("bob", "guest"))
	c.signIn() // not for bob
	n.MFA.Required = false
	b.signIn()
	n.MFA.Required = true
	p := b.passkey(credentialtest.New(t))
	_, err := n.RemovePasskey(ctx, b.by(), p.ID)
	wants(t, err, identity.CodeConflict)
	b.enrol()
	b.changed(n.RemovePasskey(ctx, b.by(), p.ID))
	_, err = n.RemoveTOTP(ctx, b.by())
	wants(t, err, identity.CodeConflict)

	n.MFA = MFARule{}
	p = b.passkey(credentialtest.New(t))
	b.changed(n.RemoveTOTP(ctx, b.by()))
	must(t, n.st.SetPassword(ctx, b.user.ID, "", n.clock.now(), time.Time{}))
	_, err = n.RemovePasskey(ctx, b.by(), p.ID)
	wants(t, err, identity.CodeConflict)
	if !strings.Contains(detail(err), "last way to sign in") {
		t.Error(detail(err))
	}
}

// R6, MF-08: who must have a second factor and has none sets one up within the sign-in; there is no session before, and
// then it stands on both.
func TestRequiredFactorIsSetUpWithinTheSignIn(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		n.MFA = MFARule{Required: true}
		b := n.browser(n.make("ada"))
		out, err := b.password(password)
		must(t, err)
		if out.Half == nil || len(out.Half.Methods) != 0 || !slices.Equal(out.Half.Enrol, []string{identity.MethodTOTP, identity.MethodPasskey}) || b.cookie != "" {
			t.Fatalf("%+v", out)
		}
		setup, err := n.BeginTOTPWithin(ctx, BrowserHalf(b.flow), host)
		must(t, err)
		b.key = setup.Key
		// somebody else who knows the password sees another key, and the victim's is not confirmed by theirs
		thief := b.stranger()
		must2(thief.password(password))(t)
		if other, err := n.BeginTOTPWithin(ctx, BrowserHalf(thief.flow), host); err != nil || other.Key == setup.Key {
			t.Fatal("the key of another half sign-in is shown", err)
		}
		_, err = b.second(SecondStep{Enrol: true, Method: identity.MethodTOTP, Code: b.code(0)})
		wants(t, err, identity.CodeInvalidRequest)
		if setup, err = n.BeginTOTPWithin(ctx, BrowserHalf(b.flow), host); err != nil {
			t.Fatal(err)
		}
		b.key = setup.Key
		if again, err := n.BeginTOTPWithin(ctx, BrowserHalf(b.flow), host); err != nil || again.Key != setup.Key {
			t.Error("the key changed at a reload", err)
		}
		_, err = b.second(SecondStep{Enrol: true, Method: identity.MethodTOTP, Code: b.code(6)})
		if detail(err) != "That code didn't match. Your phone's clock looks about 3 minutes fast. Turn on automatic time and try again." {
			t.Error(err)
		}
		for _, wrong := range []SecondStep{{Method: identity.MethodTOTP, Code: b.code(0)}, {Enrol: true, Method: identity.MethodRecovery, Code: "x"}, {Enrol: true, Method: "sms"}} {
			_, err = b.second(wrong)
			wants(t, err, identity.CodeInvalidRequest)
		}
		if out, err = b.second(SecondStep{Enrol: true, Method: identity.MethodTOTP, Code: b.code(0)}); err != nil || len(out.Codes) != 10 || !b.in() {
			t.Fatal(err)
		}
		b.stands("pwd otp mfa", "2", true, false)
		if len(n.ShownCodes(ctx, out.Session.ID)) != 10 || n.audited(audit.AuthnMFAEnabled) != 1 {
			t.Error("no codes, or no record")
		}
		// the thief's half sign-in is void, and no new one lets them add a factor
		_, err = thief.second(SecondStep{Enrol: true, Method: identity.MethodTOTP, Code: b.code(1)})
		wants(t, err, identity.CodeLoginRequired)
		thief.half()
		if _, err = n.BeginTOTPWithin(ctx, BrowserHalf(thief.flow), host); identity.CodeOf(err) != identity.CodeInvalidRequest {
			t.Error("a key for who knows the password only:", err)
		}
		key := BrowserHalf(thief.flow)
		if _, err = n.BeginPasskey(ctx, PasskeyBegin{For: PasskeyCreate, Host: host, Bound: thief.flow, Half: &key}); identity.CodeOf(err) != identity.CodeInvalidRequest {
			t.Error("a passkey for who knows the password only:", err)
		}
		_, err = thief.second(SecondStep{Enrol: true, Method: identity.MethodPasskey, Passkey: []byte("{}")})
		wants(t, err, identity.CodeInvalidRequest)

		c, a := n.browser(n.make("bob")), credentialtest.New(t)
		must2(c.password(password))(t)
		out, err = c.second(SecondStep{Enrol: true, Method: identity.MethodPasskey, Passkey: a.Create(t, c.options(PasskeyCreate), origin), Name: "Key"})
		if err != nil || len(out.Codes) != 10 {
			t.Fatal(err)
		}
		c.stands("pwd hwk user mfa", "3", true, true)
		d := c.stranger()
		must2(d.alone(a.Get(t, d.options(PasskeySignIn), origin)))(t)
	})
}

// LK-03: password, code and passkey of a confirmation count like those of a sign-in; a bearer session is brought up to
// date without a new secret, and its next refresh tells.
func TestConfirmationsCountAndReachTheTokens(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	b := enrolled(t, n)
	api, err := n.SignIn(ctx, SignIn{Login: "ada", Password: password, Kind: session.API, By: b.stranger().by()})
	must(t, err)
	whole, err := n.Complete(ctx, SecondStep{Key: apiKey(t, api.MFAToken), Method: identity.MethodTOTP, Code: b.next(), By: b.stranger().by()})
	must(t, err)
	tokens, err := n.StartTokens(ctx, b.by(), whole, "truxe")
	must(t, err)
	by := b.by()
	by.Principal = &identity.Principal{UserID: b.user.ID.String(), SessionID: whole.Session.ID.String(), Credential: identity.CredentialBearer}
	n.clock.move(20 * time.Minute)
	cookie, err := n.ConfirmWith(ctx, ConfirmStep{Method: identity.MethodTOTP, Code: b.code(0), By: by})
	if err != nil || cookie != "" {
		t.Fatal(cookie, err)
	}
	s, err := n.st.SessionByID(ctx, whole.Session.ID)
	if err != nil || !s.MFATime.Equal(n.clock.now()) || s.SecretHash != whole.Session.SecretHash {
		t.Errorf("%+v %v", s, err)
	}
	must2(n.Refresh(ctx, By{}, tokens.Refresh))(t)

	for range 5 {
		wants(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: b.wrong()}), identity.CodeInvalidCode)
	}
	_, err = b.stranger().password(password)
	wants(t, err, identity.CodeRateLimited)
	wants(t, b.confirm(ConfirmStep{Method: identity.MethodPassword, Password: password}), identity.CodeRateLimited)
	wants(t, b.confirm(ConfirmStep{Method: "sms"}), identity.CodeInvalidRequest)
	n.clock.move(5 * time.Minute)
	code := b.code(0)
	must(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: code}))
	wants(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: code}), identity.CodeInvalidCode) // MF-02
}

// What can meet a step-up is what the person has on this host; or it is said what is missing.
func TestConfirmMethodsMeetTheAsk(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	b := n.browser(n.make("ada"))
	b.signIn()
	check := func(ask identity.Assurance, where, methods, missing string) {
		t.Helper()
		got, lacks, err := n.ConfirmMethods(ctx, b.by(), ask, where)
		if err != nil || strings.Join(got, " ") != methods || lacks != missing {
			t.Errorf("%+v on %s: %v %q %v, want %s %q", ask, where, got, lacks, err, methods, missing)
		}
	}
	mfa, passkey, recent := identity.Assurance{MFA: true}, identity.Assurance{Passkey: true}, identity.Assurance{MaxAge: time.Minute}
	check(mfa, host, "", identity.MethodTOTP)
	check(passkey, host, "", identity.MethodPasskey)
	check(recent, host, "password", "")
	b.passkey(credentialtest.New(t))
	b.enrol()
	check(mfa, host, "passkey totp", "")
	check(passkey, host, "passkey", "")
	check(recent, host, "passkey totp password", "")
	check(passkey, "other.example.com", "", identity.MethodPasskey)
	check(mfa, "other.example.com", "totp", "")
}

// A step-up at the single sign-on host reaches the session of the app's host with a ticket; the ticket of another sign-in
// starts a session of its own, and the one that was there ends (SE-02).
func TestTicketBringsAStepUpToAnotherHost(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		b := enrolled(t, n)
		flow := [32]byte{1}
		ticket := func(from *browser) string {
			code, err := n.Ticket(ctx, from.by().Principal, "other.example.com", flow)
			must(t, err)
			return code
		}
		app := b.stranger()
		app.host = "other.example.com"
		must2(app.take(n.SignInWithTicket(ctx, ticket(b), app.host, flow, app.by())))(t)
		started := app.signed.Session.ID
		n.clock.move(20 * time.Minute)
		must(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: b.next()}))
		if app.proof().MFATime.Equal(b.proof().MFATime) {
			t.Fatal("nothing to bring")
		}
		old := app.cookie
		must2(app.take(n.CatchUp(ctx, ticket(b), app.host, flow, app.by())))(t)
		if app.signed.Session.ID != started || app.cookie == old || !app.in() || !app.proof().MFATime.Equal(b.proof().MFATime) {
			t.Errorf("%+v", app.signed)
		}
		other := b.stranger()
		other.half()
		must2(other.totp(other.next()))(t)
		must2(app.take(n.CatchUp(ctx, ticket(other), app.host, flow, app.by())))(t)
		before, err := n.st.SessionByID(ctx, started)
		if err != nil || app.signed.Session.ID == started || before.EndedAt.IsZero() {
			t.Errorf("%+v %v", before, err)
		}
		if _, err := n.CatchUp(ctx, "x", app.host, flow, app.by()); identity.CodeOf(err) != identity.CodeInvalidRequest {
			t.Error(err)
		}
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
	managed := managedBy
	must2(n.UpdateUser(ctx, By{Via: "cli"}, b.user.ID, store.UserChange{Managed: &managed}))(t)
	wants(t, n.UpdateProfile(ctx, b.by(), "Ada", "ada@example.com"), identity.CodeForbidden)
}
