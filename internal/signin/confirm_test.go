package signin

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
)

// LK-03: password, code and passkey of a confirmation count like those of a sign-in; a bearer session is brought up to
// date without a new secret, and its next refresh tells.
func TestConfirmationsCountAndReachTheTokens(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	b := enrolled(t, n)
	api, err := n.SignIns.WithPassword(ctx, PasswordTry{Login: "ada", Password: password, Kind: session.API,
		By: b.stranger().by()})
	must(t, err)
	whole, err := n.HalfSignIns.Complete(ctx, SecondStep{Key: apiKey(t, api.MFAToken), Method: identity.MethodTOTP,
		Code: b.next(), By: b.stranger().by()})
	must(t, err)
	tokens, err := n.Tokens.Start(ctx, b.by(), whole.Session, whole.User, "truxe")
	must(t, err)
	by := b.by()
	by.Principal = &identity.Principal{UserID: b.user.ID.String(), SessionID: whole.Session.ID.String(),
		Credential: identity.CredentialBearer}
	n.clock.Move(20 * time.Minute)
	cookie, err := n.Confirmations.Confirm(ctx, ConfirmStep{Method: identity.MethodTOTP, Code: b.code(0), By: by})
	if err != nil || cookie != "" {
		t.Fatal(cookie, err)
	}
	s, err := n.st.SessionByID(ctx, whole.Session.ID)
	if err != nil || !s.MFATime.Equal(n.clock.Now()) || s.SecretHash != whole.Session.SecretHash {
		t.Errorf("%+v %v", s, err)
	}
	must2(n.Tokens.Refresh(ctx, change.By{}, tokens.Refresh))(t)

	for range 5 {
		wants(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: b.wrong()}), identity.CodeInvalidCode)
	}
	_, err = b.stranger().password(password)
	wants(t, err, identity.CodeRateLimited)
	wants(t, b.confirm(ConfirmStep{Method: identity.MethodPassword, Password: password}), identity.CodeRateLimited)
	wants(t, b.confirm(ConfirmStep{Method: "sms"}), identity.CodeInvalidRequest)
	n.clock.Move(5 * time.Minute)
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
		got, lacks, err := n.Confirmations.Methods(ctx, b.by(), ask, where)
		if err != nil || strings.Join(got, " ") != methods || lacks != missing {
			t.Errorf("%+v on %s: %v %q %v, want %s %q", ask, where, got, lacks, err, methods, missing)
		}
	}
	mfa, passkey, recent := identity.Assurance{MFA: true}, identity.Assurance{Passkey: true},
		identity.Assurance{MaxAge: time.Minute}
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

// A step-up at the single sign-on host reaches the session of the app's host with a ticket; the ticket of another
// sign-in starts a session of its own, and the one that was there ends (SE-02).
func TestTicketBringsAStepUpToAnotherHost(t *testing.T) {
	everywhere(t, func(t *testing.T, n *node) {
		ctx := context.Background()
		b := enrolled(t, n)
		flow := [32]byte{1}
		ticket := func(from *browser) string {
			code, err := n.Tickets.Issue(ctx, from.by().Principal, "other.example.com", flow)
			must(t, err)
			return code
		}
		app := b.stranger()
		app.host = "other.example.com"
		must2(app.takeOpened(n.Tickets.SignIn(ctx, ticket(b), app.host, flow, app.by())))(t)
		started := app.signed.Session.ID
		n.clock.Move(20 * time.Minute)
		must(t, b.confirm(ConfirmStep{Method: identity.MethodTOTP, Code: b.next()}))
		if app.proof().MFATime.Equal(b.proof().MFATime) {
			t.Fatal("nothing to bring")
		}
		old := app.cookie
		must2(app.takeOpened(n.Tickets.Redeem(ctx, ticket(b), app.host, flow, app.by())))(t)
		if app.signed.Session.ID != started || app.cookie == old || !app.in() ||
			!app.proof().MFATime.Equal(b.proof().MFATime) {
			t.Errorf("%+v", app.signed)
		}
		other := b.stranger()
		other.half()
		must2(other.totp(other.next()))(t)
		must2(app.takeOpened(n.Tickets.Redeem(ctx, ticket(other), app.host, flow, app.by())))(t)
		before, err := n.st.SessionByID(ctx, started)
		if err != nil || app.signed.Session.ID == started || before.EndedAt.IsZero() {
			t.Errorf("%+v %v", before, err)
		}
		if _, err := n.Tickets.Redeem(ctx, "x", app.host, flow,
			app.by()); identity.CodeOf(err) != identity.CodeInvalidRequest {
			t.Error(err)
		}
	})
}
