package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/mail"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// told takes the mails that wait, "kind address" each, and their facts.
func (n *node) told() (kinds []string, facts []mail.Facts) {
	n.t.Helper()
	for {
		m, ok, err := n.st.ClaimMail(context.Background(), n.clock.Now(), n.clock.Now().Add(time.Minute))
		must(n.t, err)
		if !ok {
			return kinds, facts
		}
		var f mail.Facts
		must(n.t, json.Unmarshal([]byte(m.Facts), &f))
		kinds, facts = append(kinds, m.Kind+" "+m.To), append(facts, f)
		must2(n.st.EndMail(context.Background(), m, "sent", n.clock.Now()))(n.t)
	}
}

// tells fails the test unless exactly these mails wait.
func (n *node) tells(what string, want ...string) []mail.Facts {
	n.t.Helper()
	got, facts := n.told()
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		n.t.Errorf("%s: told %q, want %q", what, got, want)
	}
	n.clock.Move(time.Hour) // notices sent before no longer count
	return facts
}

// posted has the node write mails, and counts how often it says that some wait.
func posted(n *node) *atomic.Int64 {
	waits := new(atomic.Int64)
	n.rig.Changes.OnMailQueued = func() { waits.Add(1) }
	return waits
}

// MF-11 PW-10 LK-01: users are notified of each change of how they sign in, of a recovery code that was used, of a new
// browser and of the hard ceiling; a new address is reported to the old one. The mail is written in the change's
// transaction.
func TestUsersAreNotifiedOfWhatHappensToTheirAccount(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx, waits := context.Background(), posted(n)
		b := n.browser(n.make("ada"))
		n.tells("an account is made")
		b.signIn()
		facts := n.tells("first sign-in", "new_browser ada@example.com")
		if f := facts[0]; f.Account != "ada" || f.Address != "192.0.2.1" || f.Browser != "Chrome" || f.System != "Linux" ||
			f.Host != host || f.Other || f.At.IsZero() {
			t.Errorf("%+v", f)
		}
		if waits.Load() != 1 {
			t.Errorf("woken %d times", waits.Load())
		}
		b.signIn()
		n.tells("the same browser again")
		must2(n.SignIns.WithPassword(ctx, PasswordTry{Login: "ada", Password: password, Address: home, Kind: session.API,
			By: b.by()}))(t)
		n.tells("an API client")

		b.signIn()
		b.enrol()
		if f := n.tells("an app", "factor_added ada@example.com"); f[0].Factor != identity.MethodTOTP {
			t.Errorf("%+v", f)
		}
		step := func() {
			b.signIn()
			n.told()
		}
		step()
		b.enrol()
		n.tells("another app", "factor_replaced ada@example.com")
		step()
		b.changed(n.Factors.NewRecoveryCodes(ctx, b.by()))
		n.tells("new codes", "recovery_renewed ada@example.com")
		c := b.stranger()
		must2(c.password(password))(t)
		must2(c.second(SecondStep{Method: identity.MethodRecovery, Code: b.codes[0]}))(t)
		n.tells("a recovery code in a new browser", "recovery_used ada@example.com")
		c = b.stranger()
		c.trust = true
		c.signIn()
		n.tells("a trusted browser", "device_trusted ada@example.com")
		step()
		a := credentialtest.New(t)
		p := b.passkey(a)
		if f := n.tells("a passkey", "factor_added ada@example.com"); f[0].Factor != identity.MethodPasskey {
			t.Errorf("%+v", f)
		}
		step()
		must(t, n.Factors.RenamePasskey(ctx, b.by(), p.ID, "Phone"))
		n.tells("a name")
		c = b.stranger()
		must2(c.alone(a.Get(t, c.options(PasskeySignIn), origin)))(t)
		n.tells("a passkey in a new browser", "new_browser ada@example.com")
		copied := *a
		copied.Count -= 2
		_, err := c.alone(copied.Get(t, c.options(PasskeySignIn), origin))
		wants(t, err, identity.CodeInvalidCredentials)
		n.tells("a copied passkey", "passkey_suspect ada@example.com")
		step()
		b.changed(n.Factors.RemovePasskey(ctx, b.by(), p.ID))
		n.tells("a passkey less", "factor_removed ada@example.com")
		step()
		b.cookie, err = n.Passwords.Change(ctx, b.by(), home, password, password+" x", true)
		must(t, err)
		must(t, n.UpdateProfile(ctx, b.by(), "Ada", "ada@example.com"))
		n.tells("a password and a display name", "password_changed ada@example.com")
		must(t, n.Factors.Reset(ctx, change.By{Via: "cli"}, b.user.ID))
		if f := n.tells("a reset", "factors_reset ada@example.com"); !f[0].Other {
			t.Error("the owner of the machine is taken for the person")
		}
		email := "new@example.com"
		must2(n.UpdateUser(ctx, change.By{Via: "cli"}, b.user.ID, store.UserChange{Email: &email}))(t)
		n.tells("an address", "address_changed ada@example.com")
		n.setPassword(b.user.ID, password)
		n.tells("a password set", "password_changed new@example.com")

		for range ceiling - 2 {
			must2(n.st.AddFailure(ctx, b.user.ID))(t)
		}
		// the failure that reaches the ceiling alone (PW-16)
		for i, told := range [][]string{nil, {"locked new@example.com"}, nil, nil} {
			_, err := b.stranger().password("not " + password)
			wants(t, err, identity.CodeInvalidCredentials)
			n.tells("locked, try "+string(rune('1'+i)), told...)
		}
	})
}

// Users without an address and disabled users get no notices, nor does any user without a mail server; a change that
// does not happen causes none.
func TestUsersWhoGetNoNotices(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	ada := n.make("ada")
	n.setPassword(ada.ID, password)
	n.tells("without a mail server")
	waits := posted(n)
	bare, err := n.CreateUser(ctx, change.By{Via: "cli"}, people.NewUser{Username: "bare", Password: password})
	must(t, err)
	n.setPassword(bare.ID, password)
	first := "bare@example.com"
	must2(n.UpdateUser(ctx, change.By{Via: "cli"}, bare.ID, store.UserChange{Email: &first}))(t)
	n.tells("no address")
	off := true
	must2(n.UpdateUser(ctx, change.By{Via: "cli"}, ada.ID, store.UserChange{Disabled: &off}))(t)
	n.setPassword(ada.ID, password)
	must(t, n.DeleteUser(ctx, change.By{Via: "cli"}, ada.ID))
	n.tells("disabled and deleted")
	_, err = n.browser(bare).password("not the password at all")
	wants(t, err, identity.CodeInvalidCredentials)
	n.tells("a wrong password")
	failed := errors.New("the change fails after its event")
	if err := n.rig.Changes.Run(ctx, func(tx *change.Tx) error {
		tx.Record(change.By{}.UserEvent(audit.AuthnPasswordChange, bare))
		return failed
	}); !errors.Is(err, failed) {
		t.Error(err)
	}
	n.tells("what did not happen")
	if waits.Load() != 0 {
		t.Errorf("woken %d times for nothing", waits.Load())
	}
	n.setPassword(bare.ID, password) // control
	n.tells("control", "password_changed bare@example.com")
}

// Twenty mails an hour are the most; the change itself goes on, and the log says what was dropped.
func TestNoMailboxIsFilled(t *testing.T) {
	n := sqliteNode(t)
	waits := posted(n)
	var log bytes.Buffer
	n.rig.Changes.Logger = slog.New(slog.NewTextHandler(&log, nil))
	ada := n.make("ada")
	for range 23 {
		must(t, n.rig.Changes.Run(context.Background(), func(tx *change.Tx) error {
			tx.Record(change.By{}.UserEvent(audit.AuthnPasswordChange, ada))
			return nil
		}))
	}
	if got, _ := n.told(); len(got) != 20 || waits.Load() != 20 || n.audited(audit.AuthnPasswordChange) != 23 {
		t.Errorf("%d mails, woken %d times, %d events", len(got), waits.Load(), n.audited(audit.AuthnPasswordChange))
	}
	if got := strings.Count(log.String(), "dropped"); got != 3 || strings.Contains(log.String(), "@") {
		t.Errorf("the log tells of %d: %s", got, log.String())
	}
}
