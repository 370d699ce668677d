package signin

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// enrolled returns a user with an authenticator app, in a browser that is not known.
func enrolled(t *testing.T, n *node) *browser {
	t.Helper()
	b := n.browser(n.make("ada"))
	b.signIn()
	b.enrol()
	b.clock.Move(time.Minute)
	return b
}

func (b *browser) half() Half {
	b.t.Helper()
	out, err := b.password(password)
	must(b.t, err)
	if out.Half == nil {
		b.t.Fatal("no second step is asked for")
	}
	return *out.Half
}

// MF-03, MF-04: the codes of the previous, this and the next step work once each, in this order; others, and everything
// that is not six ASCII digits, do not.
func TestOnlyCodesOfThreeStepsAreTaken(t *testing.T) {
	n := sqliteNode(t)
	b := enrolled(t, n).stranger()
	for _, steps := range []int{-1, 0, 1} {
		b.half()
		must2(b.totp(b.code(steps)))(t)
	}
	b.clock.Move(5 * time.Minute)
	for _, bad := range []string{b.code(-2), b.code(2), b.code(0) + "0", b.code(0)[:5], "", "+" + b.code(0)[1:], "١٢٣٤٥٦",
		"１２３４５６", b.code(0) + "\n", b.code(0)[:3] + "\u00a0" + b.code(0)[3:],
		strings.Repeat(" ", 10_000) + b.code(0), "\xff\xfe", b.code(0) + "\x00"} {
		b.clock.Move(5 * time.Minute) // the person's counter is full again
		b.half()
		if _, err := b.totp(bad); identity.CodeOf(err) != identity.CodeInvalidCode {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

// MF-05, LK-03: a half sign-in takes 5 codes, then it is dead though its time is not over.
func TestHalfSignInTakesFiveCodes(t *testing.T) {
	n := sqliteNode(t)
	b := enrolled(t, n).stranger()
	b.half()
	for i := range HalfTries {
		// one try a minute comes back to the person, within the life of a half sign-in
		b.clock.Move(time.Minute - time.Second)
		half, err := n.HalfSignIns.Read(context.Background(), BrowserHalf(b.flow), host)
		must(t, err)
		if half.Tries != HalfTries-i {
			t.Errorf("%d tries left before try %d", half.Tries, i)
		}
		_, err = b.totp(b.wrong())
		wants(t, err, identity.CodeInvalidCode)
	}
	_, err := b.totp(b.next())
	wants(t, err, identity.CodeLoginRequired)
	_, err = n.HalfSignIns.Read(context.Background(), BrowserHalf(b.flow), host)
	wants(t, err, identity.CodeLoginRequired)
}

// MF-05, LK-13, LK-03: an attacker who knows the password can try 5 codes in 5 minutes in all, over any number of
// sign-ins, browsers and addresses, over page and API. A right password in between returns none of them.
func TestNewSignInsGiveNoNewCodes(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		victim := enrolled(t, n)
		tried, limited := 0, 0
		for i := range 12 {
			b := victim.stranger()
			b.address = home.Next()
			for range i {
				b.address = b.address.Next()
			}
			kind := []string{session.Browser, session.API}[i%2]
			out, err := n.SignIns.WithPassword(context.Background(),
				PasswordTry{Login: "ADA", Password: password, Kind: kind, Flow: b.flow, Address: b.address, By: b.by()})
			if identity.CodeOf(err) == identity.CodeRateLimited { // the password's counter is the same
				limited++
				continue
			}
			must(t, err)
			key, ok := APIHalf(out.MFAToken)
			if !ok {
				key = BrowserHalf(b.flow)
			}
			_, err = n.HalfSignIns.Complete(context.Background(),
				SecondStep{Key: key, Method: []string{identity.MethodTOTP, identity.MethodRecovery}[i%2], Code: b.wrong(),
					Address: b.address, By: b.by()})
			switch identity.CodeOf(err) {
			case identity.CodeInvalidCode:
				tried++
			case identity.CodeRateLimited:
				limited++
			default:
				t.Fatal(err)
			}
		}
		if tried != 5 || limited != 7 {
			t.Errorf("%d codes were tried, %d refused", tried, limited)
		}
		// in a session of the victim, confirmations count too
		wants(t, victim.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: victim.next()}), identity.CodeRateLimited)
		// LK-05: the throttle ends by itself, and a whole sign-in clears it (LK-13)
		n.clock.Move(5 * time.Minute)
		b := victim.stranger()
		b.half()
		must2(b.totp(b.next()))(t)
		for range 4 {
			b.half()
			_, err := b.totp(b.wrong())
			wants(t, err, identity.CodeInvalidCode)
		}
	})
}

// LK-05: a browser that the person has signed in from is counted by itself: a stranger's codes do not stop it, nor its
// own mistakes the person elsewhere.
func TestStrangersCodesDoNotStopAKnownBrowser(t *testing.T) {
	n := sqliteNode(t)
	known := enrolled(t, n).stranger()
	known.half()
	must2(known.totp(known.next()))(t)
	stranger := known.stranger()
	another := known.stranger()
	another.half()
	for range 5 {
		stranger.half()
		_, err := stranger.totp(stranger.wrong())
		wants(t, err, identity.CodeInvalidCode)
	}
	_, err := another.totp(another.code(0))
	wants(t, err, identity.CodeRateLimited)
	known.half()
	must2(known.totp(known.next()))(t)
}

// LK-01: after 100 wrong codes in a row the app's codes are refused, even right ones, in the words of a wrong one; a
// known browser and a recovery code still sign in, and end the row.
func TestHundredWrongCodesInARow(t *testing.T) {
	n := sqliteNode(t)
	known := enrolled(t, n).stranger()
	known.half()
	must2(known.totp(known.next()))(t)
	for range ceiling {
		must2(n.st.AddFactorFailure(context.Background(), known.user.ID))(t)
	}
	b := known.stranger()
	b.half()
	_, err := b.totp(b.next())
	wants(t, err, identity.CodeInvalidCode)
	if detail(err) != secondfactor.ErrWrong.Detail || n.audited(audit.AuthnLoginLock) != 1 {
		t.Error(detail(err), n.audited(audit.AuthnLoginLock))
	}
	b.half()
	must2(b.second(SecondStep{Method: identity.MethodRecovery, Code: b.codes[0]}))(t)
	c := known.stranger()
	c.half()
	must2(c.totp(c.next()))(t)
	for range ceiling {
		must2(n.st.AddFactorFailure(context.Background(), known.user.ID))(t)
	}
	known.half()
	must2(known.totp(known.next()))(t)
	f, err := n.Factors.Of(context.Background(), known.user.ID, host)
	if err != nil || f.Failures != 0 {
		t.Error(f.Failures, err)
	}
}

// MF-05: showing the password again in a session gives no codes back.
func TestConfirmedPasswordGivesNoNewCodes(t *testing.T) {
	n := sqliteNode(t)
	b := enrolled(t, n)
	for range 4 {
		wants(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: b.wrong()}), identity.CodeInvalidCode)
	}
	must(t, b.confirm(ConfirmStep{Method: identity.MethodPassword, Password: password}))
	wants(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: b.wrong()}), identity.CodeInvalidCode)
	wants(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: b.wrong()}), identity.CodeRateLimited)
}

// MF-07: a key proves nothing before its first code, and is dropped after 10 minutes; until then it stays the same.
func TestUnfinishedAuthenticatorProvesNothing(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	b := n.browser(n.make("ada"))
	b.signIn()
	setup, err := n.Factors.BeginTOTP(ctx, b.by())
	must(t, err)
	again, err := n.Factors.BeginTOTP(ctx, b.by())
	if err != nil || again.Key != setup.Key || !strings.HasPrefix(setup.URI,
		"otpauth://totp/Example:ada@example.com?secret="+setup.Key.Text()) {
		t.Fatal(again.URI, setup.URI, err)
	}
	b.key = setup.Key
	if out, err := b.stranger().password(password); err != nil || out.Half != nil {
		t.Error("asked for a code of an app that is not set up:", err)
	}
	_, drift, err := n.Factors.ConfirmTOTP(ctx, b.by(), home, b.wrong())
	wants(t, err, identity.CodeInvalidCode)
	if drift != 0 {
		t.Error(drift)
	}
	if _, drift, err = n.Factors.ConfirmTOTP(ctx, b.by(), home,
		b.code(-6)); identity.CodeOf(err) != identity.CodeInvalidCode || drift != -3*time.Minute {
		t.Errorf("drift %v %v", drift, err)
	}
	n.clock.Move(10*time.Minute + time.Second)
	must(t, b.confirm(ConfirmStep{Method: identity.MethodPassword, Password: password}))
	_, _, err = n.Factors.ConfirmTOTP(ctx, b.by(), home, b.code(0))
	wants(t, err, identity.CodeInvalidRequest)
	if again, err = n.Factors.BeginTOTP(ctx, b.by()); err != nil || again.Key == setup.Key {
		t.Error("the dropped key came back", err)
	}
	b.enrol()
	code := b.code(0)
	b.half()
	if _, err := b.totp(code); detail(err) != secondfactor.ErrUsed.Detail { // the code of the set-up is used
		t.Error(err)
	}
}

// MF-06: what is stored of the key opens only in its own row.
func TestKeyOfAnotherRowDoesNotOpen(t *testing.T) {
	n := sqliteNode(t)
	b := enrolled(t, n)
	row, err := n.st.TOTP(context.Background(), b.user.ID, false, n.clock.Now())
	must(t, err)
	if strings.Contains(string(row.Sealed), b.key.Text()) {
		t.Error("the key is stored as it is")
	}
	moved := row
	moved.UserID = identity.NewID()
	if _, _, err := n.Factors.totp.Open(moved); err == nil {
		t.Error("it opens for another person")
	}
}

// SE-13: deleting a person deletes their factors, devices and half sign-ins.
func TestDeletedPersonLeavesNoFactors(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		b := enrolled(t, n)
		b.stranger().half()
		must(t, n.DeleteUser(ctx, change.By{Via: "cli"}, b.user.ID))
		f, err := n.Factors.Of(ctx, b.user.ID, host)
		if err != nil || f != (store.Factors{}) {
			t.Errorf("%+v %v", f, err)
		}
		_, err = b.totp(b.next())
		wants(t, err, identity.CodeLoginRequired)
	})
}

// MF-04: whatever is typed, only six ASCII digits that are the code count as it.
func FuzzTypedCode(f *testing.F) {
	key := credential.NewTOTPKey()
	now := time.UnixMilli(1_780_000_005_000)
	right := map[string]bool{}
	for _, at := range []time.Duration{-30 * time.Second, 0, 30 * time.Second} {
		code, err := totp.GenerateCode(key.Text(), now.Add(at))
		must(f, err)
		right[code] = true
		f.Add(" " + code[:3] + "-" + code[3:])
	}
	f.Add("\u0661\u0662\u0663\u0664\u0665\u0666")
	f.Fuzz(func(t *testing.T, typed string) {
		if _, ok, _ := key.Match(secondfactor.Typed(typed), now, -1); ok &&
			!right[strings.NewReplacer(" ", "", "-", "").Replace(typed)] {
			t.Errorf("%q was taken", typed)
		}
	})
}
