package signin

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// withPasskey returns a user whose only factor is a passkey.
func withPasskey(t *testing.T, n *node, name string) (*browser, *credentialtest.Authenticator) {
	t.Helper()
	b, a := n.browser(n.make(name)), credentialtest.New(t)
	b.signIn()
	b.passkey(a)
	return b, a
}

// MF-21: a passkey is a second step, the only step, and a confirmation; what it proved is in the session and its
// tokens, and whether the passkey can leave its device.
func TestPasskeySignsInAloneAndSecond(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		b, a := withPasskey(t, n, "ada")
		b.stands("pwd hwk user mfa", "3", true, true)
		if len(b.codes) != 10 {
			t.Errorf("%d codes with the first factor", len(b.codes))
		}
		c := b.stranger()
		out, err := c.password(password)
		must(t, err)
		if out.Half == nil || out.Half.Methods[0] != identity.MethodPasskey {
			t.Fatalf("%+v", out.Half)
		}
		must2(c.second(SecondStep{Method: identity.MethodPasskey, Passkey: a.Get(t, c.options(PasskeySecond), origin)}))(t)
		c.stands("pwd hwk user mfa", "3", true, true)

		d := b.stranger()
		must2(d.alone(a.Get(t, d.options(PasskeySignIn), origin)))(t)
		d.stands("hwk user mfa", "3", true, true)
		tokens, err := n.Tokens.Start(context.Background(), d.by(), d.signed.Session, d.signed.User, "truxe")
		must(t, err)
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(tokens.Access, ".")[1])
		must(t, err)
		for _, claim := range []string{`"acr":"3"`, `"amr":["hwk","user","mfa"]`, `"mfa_time":1`,
			`"passkey_time":1`, `"auth_time":1`} {
			if !strings.Contains(string(payload), claim) {
				t.Errorf("%s is not in %s", claim, payload)
			}
		}

		synced := credentialtest.New(t)
		synced.Step, synced.Lie.Flags = 0, credentialtest.FlagBE|credentialtest.FlagBS
		p := d.passkey(synced)
		if p.Name != "Synced passkey (Chrome on Linux)" {
			t.Error(p.Name)
		}
		e := b.stranger()
		must2(e.alone(synced.Get(t, e.options(PasskeySignIn), origin)))(t)
		e.stands("swk user mfa", "3", true, true)
		_, _, err = d.Factors.AddPasskey(context.Background(), d.by(),
			credentialtest.New(t).Create(t, d.options(PasskeyCreate), origin), strings.Repeat("x", 65))
		wants(t, err, identity.CodeInvalidRequest)
	})
}

// LK-05, LK-03: a valid passkey signs in while the person's counter is used up by a stranger; wrong ones are counted to
// the person.
func TestPasskeyIsNotStoppedByStrangers(t *testing.T) {
	n := sqliteNode(t)
	b, a := withPasskey(t, n, "ada")
	stranger := b.stranger()
	for range 5 {
		_, err := stranger.password("wrong")
		wants(t, err, identity.CodeInvalidCredentials)
	}
	_, err := stranger.password(password)
	wants(t, err, identity.CodeRateLimited)
	c := b.stranger()
	must2(c.alone(a.Get(t, c.options(PasskeySignIn), origin)))(t)
	// the passkey gives the stranger no new tries (LK-13: what was wrong stays wrong)
	_, err = stranger.password(password)
	wants(t, err, identity.CodeRateLimited)

	n.clock.Move(5 * time.Minute)
	a.Lie.NoVerification = true
	for range 5 {
		_, err := stranger.alone(a.Get(t, stranger.options(PasskeySignIn), origin))
		wants(t, err, identity.CodeInvalidCredentials)
	}
	_, err = stranger.password(password)
	wants(t, err, identity.CodeRateLimited)
	a.Lie.NoVerification = false
	must2(c.alone(a.Get(t, c.options(PasskeySignIn), origin)))(t)
}

// LK-04: one address cannot try wrong passkeys without end.
func TestWrongPasskeysAreCountedToTheAddress(t *testing.T) {
	n := sqliteNode(t)
	c := n.browser(identity.User{})
	a := credentialtest.New(t)
	for i := range 55 {
		_, err := c.alone(a.Get(t, c.options(PasskeySignIn), origin))
		want := identity.CodeInvalidCredentials
		if i >= 50 {
			want = identity.CodeRateLimited
		}
		wants(t, err, want)
	}
}

// MF-14: a challenge is good once, for 5 minutes, for what it was asked for, in the browser or session that asked.
func TestChallengeIsBoundAndGoodOnce(t *testing.T) {
	n := sqliteNode(t)
	b, a := withPasskey(t, n, "ada")

	c := b.stranger()
	options := c.options(PasskeySignIn)

	other := c.stranger()
	_, err := other.alone(answer(t, a, options)) // another browser
	wants(t, err, identity.CodeInvalidCredentials)
	must2(c.alone(answer(t, a, options)))(t) // which uses nothing up: TestSignInChallengeIsBound has the rest
	_, err = c.alone(answer(t, a, options))
	wants(t, err, identity.CodeInvalidCredentials)

	good := answer(t, a, c.options(PasskeySignIn))
	must2(c.alone(good))(t)
	_, err = c.stranger().alone(good)
	wants(t, err, identity.CodeInvalidCredentials)
	_, err = c.alone(good)
	wants(t, err, identity.CodeInvalidCredentials)

	_, err = c.alone(answer(t, a, c.options(PasskeyConfirm))) // a challenge for something else
	wants(t, err, identity.CodeInvalidCredentials)
	d := c.stranger()
	wants(t, c.confirm(ConfirmStep{Method: identity.MethodPasskey, Passkey: answer(t, a, d.options(PasskeySignIn))}),
		identity.CodeInvalidCode)
	late := answer(t, a, c.options(PasskeySignIn))
	n.clock.Move(credential.ChallengeLife)
	_, err = c.alone(late)
	wants(t, err, identity.CodeInvalidCredentials)

	// of the half sign-in: not in another one, not with another mfa_token
	e, f := c.stranger(), c.stranger()
	e.half()
	f.half()
	_, err = f.second(SecondStep{Method: identity.MethodPasskey, Passkey: answer(t, a, e.options(PasskeySecond))})
	wants(t, err, identity.CodeInvalidCode)
	_, err = e.second(SecondStep{Method: identity.MethodPasskey, Passkey: answer(t, a, e.options(PasskeySecond)),
		Bound: f.flow})
	wants(t, err, identity.CodeInvalidCode)
	must2(e.second(SecondStep{Method: identity.MethodPasskey, Passkey: answer(t, a, e.options(PasskeySecond))}))(t)

	for _, in := range []PasskeyBegin{{For: PasskeySignIn, Host: host},
		{For: PasskeySignIn, Host: "evil.example.com", Bound: "x"}, {For: "?", Host: host, Bound: "x"},
		{For: PasskeySignIn, Host: "192.0.2.9", Bound: "x"}, {For: PasskeySecond, Host: host, Bound: "x"},
		{For: PasskeyConfirm, Host: host, Bound: "x"}} {
		if _, err := n.Challenges.Begin(context.Background(), in); identity.CodeOf(err) != identity.CodeInvalidRequest {
			t.Errorf("%+v: %v", in, err)
		}
	}
}

// answer answers options, with a counter that is ahead of the stored one whatever was refused before.
func answer(t *testing.T, a *credentialtest.Authenticator, options []byte) []byte {
	t.Helper()
	a.Count += 5
	return a.Get(t, options, origin)
}

// MF-15, MF-19: answers that lie, and bodies that are not answers, are refused without a word about why.
func TestLyingPasskeysAreRefused(t *testing.T) {
	n := sqliteNode(t)
	b, a := withPasskey(t, n, "ada")
	for name, lie := range map[string]credentialtest.Lie{"origin": {Origin: "https://evil.example.com"},
		"rp id": {RPID: "evil.example.com"}, "type": {Type: "webauthn.create"},
		"no user": {NoVerification: true}, "no presence": {NoPresence: true},
		"challenge":  {Challenge: base64.RawURLEncoding.EncodeToString(make([]byte, 32))},
		"in a frame": {Client: map[string]any{"crossOrigin": true}},
		"cut":        {AuthData: func(raw []byte) []byte { return raw[:20] }}} {
		n.clock.Move(10 * time.Minute)
		c := b.stranger()
		a.Lie = lie
		_, err := c.alone(a.Get(t, c.options(PasskeySignIn), origin))
		if identity.CodeOf(err) != identity.CodeInvalidCredentials ||
			detail(err) != "This passkey was not accepted. Try again, or sign in with your password." {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.Lie = credentialtest.Lie{}
	for _, body := range []string{"", "{}", "null", "[]",
		`{"response":{"clientDataJSON":"AA"}}`, strings.Repeat("x", 70<<10), `{"rawId":7}`} {
		_, err := b.stranger().alone([]byte(body))
		wants(t, err, identity.CodeInvalidCredentials)
	}
}

// MF-16: a counter that does not grow marks the passkey, is audited, and signs no user in.
func TestCopiedPasskeyIsMarkedAndRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		b, a := withPasskey(t, n, "ada")
		c := b.stranger()
		must2(c.alone(a.Get(t, c.options(PasskeySignIn), origin)))(t)
		copied := *a
		copied.Count -= 2
		d := b.stranger()
		_, err := d.alone(copied.Get(t, d.options(PasskeySignIn), origin))
		wants(t, err, identity.CodeInvalidCredentials)
		list, err := n.Factors.Passkeys(context.Background(), b.user.ID)
		if err != nil || len(list) != 1 || !list[0].Suspect || n.audited(audit.PasskeySuspect) != 1 || d.in() {
			t.Errorf("%+v %v", list, err)
		}
		// two answers with one counter at once: one wins
		twin := *a
		answers, browsers := [2][]byte{}, [2]*browser{b.stranger(), b.stranger()}
		for i, x := range []*credentialtest.Authenticator{a, &twin} {
			answers[i] = x.Get(t, browsers[i].options(PasskeySignIn), origin)
		}
		if won := race(2, func(i int) bool { _, err := browsers[i].alone(answers[i]); return err == nil }); won != 1 {
			t.Errorf("%d of two with one counter", won)
		}
	})
}

// MF-17: a passkey of one user does not work for another, in the second step, in a confirmation, with a forged handle.
// That no user has a passkey is disclosed to the page, for the browser, and not to the user.
func TestPasskeyOfAnotherPerson(t *testing.T) {
	n := sqliteNode(t)
	_, a := withPasskey(t, n, "ada")
	bob, own := withPasskey(t, n, "bob")
	c := bob.stranger()
	c.half()
	_, err := c.second(SecondStep{Method: identity.MethodPasskey, Passkey: a.Get(t, c.options(PasskeySecond), origin)})
	wants(t, err, identity.CodeInvalidCode)
	a.Lie.Handle = own.Handle
	_, err = c.second(SecondStep{Method: identity.MethodPasskey, Passkey: a.Get(t, c.options(PasskeySecond), origin)})
	wants(t, err, identity.CodeInvalidCode)
	_, err = c.alone(a.Get(t, c.options(PasskeySignIn), origin))
	wants(t, err, identity.CodeInvalidCredentials)
	wants(t, bob.confirm(ConfirmStep{Method: identity.MethodPasskey,
		Passkey: a.Get(t, bob.options(PasskeyConfirm), origin)}), identity.CodeInvalidCode)
	a.Lie = credentialtest.Lie{}
	nobodys := credentialtest.New(t)
	nobodys.Handle = own.Handle
	_, err = c.alone(nobodys.Get(t, c.options(PasskeySignIn), origin))
	var unknown *UnknownPasskey
	if !errors.As(err, &unknown) || unknown.CredentialID != base64.RawURLEncoding.EncodeToString(nobodys.ID) {
		t.Error(err)
	}
	if _, err := n.Factors.RemovePasskey(context.Background(), bob.by(),
		onlyPasskey(t, n, "ada")); identity.CodeOf(err) != identity.CodeNotFound {
		t.Error("removed another person's:", err)
	}
	if err := n.Factors.RenamePasskey(context.Background(), bob.by(), onlyPasskey(t, n, "ada"),
		"mine"); identity.CodeOf(err) != identity.CodeNotFound {
		t.Error("renamed another person's:", err)
	}
	// a credential id that a user has cannot become another user's (WebAuthn 7.1)
	own.ID = a.ID
	_, _, err = bob.Factors.AddPasskey(context.Background(), bob.by(), own.Create(t, bob.options(PasskeyCreate), origin),
		"")
	wants(t, err, identity.CodeConflict)
}

func onlyPasskey(t *testing.T, n *node, name string) identity.ID {
	t.Helper()
	u, err := n.st.UserByLogin(context.Background(), name)
	must(t, err)
	list, err := n.Factors.Passkeys(context.Background(), u.ID)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0].ID
}

// PW-16, SE-13: a disabled person's passkey is refused like a wrong one.
func TestPasskeyOfDisabledPerson(t *testing.T) {
	n := sqliteNode(t)
	b, a := withPasskey(t, n, "ada")
	yes := true
	must2(n.UpdateUser(context.Background(), change.By{Via: "cli"}, b.user.ID, store.UserChange{Disabled: &yes}))(t)
	c := b.stranger()
	_, err := c.alone(a.Get(t, c.options(PasskeySignIn), origin))
	wants(t, err, identity.CodeInvalidCredentials)
}

// A passkey works on the host it was made for. On another one, recovery codes are left, then nothing.
func TestPasskeyOfAnotherHost(t *testing.T) {
	n := sqliteNode(t)
	b, a := withPasskey(t, n, "ada")
	c := b.stranger()
	c.host = "other.example.com"
	if half := c.half(); len(half.Methods) != 1 || half.Methods[0] != identity.MethodRecovery || half.Enrol != nil {
		t.Errorf("%+v", half)
	}
	_, err := c.second(SecondStep{Method: identity.MethodPasskey,
		Passkey: a.Get(t, c.options(PasskeySecond), "https://other.example.com")})
	wants(t, err, identity.CodeInvalidCode)
	must(t, n.st.DeleteRecoveryCodes(context.Background(), b.user.ID))
	if half := c.half(); len(half.Methods)+len(half.Enrol) != 0 {
		t.Errorf("%+v", half)
	}
}

// The method a person chose is asked for first, where it can be used.
func TestPreferredMethodComesFirst(t *testing.T) {
	n := sqliteNode(t)
	b, _ := withPasskey(t, n, "ada")
	b.enrol()
	if m := b.stranger().half().Methods; strings.Join(m, " ") != "passkey totp recovery_code" {
		t.Error(m)
	}
	must(t, n.Factors.SetPreferred(context.Background(), b.by(), identity.MethodTOTP))
	if m := b.stranger().half().Methods; strings.Join(m, " ") != "totp passkey recovery_code" {
		t.Error(m)
	}
	wants(t, n.Factors.SetPreferred(context.Background(), b.by(), "sms"), identity.CodeInvalidRequest)
	b.changed(n.Factors.RemoveTOTP(context.Background(), b.by()))
	if m := b.stranger().half().Methods; strings.Join(m, " ") != "passkey recovery_code" {
		t.Error(m)
	}
}

// LK-05: in the API too a passkey is a whole sign-in.
func TestPasskeySignsInAnAPIClient(t *testing.T) {
	n := sqliteNode(t)
	b, a := withPasskey(t, n, "ada")
	c := b.stranger()
	out, err := n.SignIns.WithPasskey(context.Background(),
		PasskeyTry{Answer: a.Get(t, c.options(PasskeySignIn), origin), Bound: c.flow, Kind: session.API, By: c.by()})
	must(t, err)
	if out.Session.Kind != session.API || out.Device != "" {
		t.Errorf("%+v", out)
	}
}
