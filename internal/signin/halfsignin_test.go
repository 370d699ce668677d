package signin

import (
	"context"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// MF-09: half a sign-in lives 5 minutes, on one host, in one browser (or with one mfa_token), and is not the session
// that it becomes. Half a sign-in of a disabled user, and one after "Start over", is not usable.
func TestHalfSignInIsBoundAndShort(t *testing.T) {
	n := sqliteNode(t)
	ctx := context.Background()
	b := enrolled(t, n).stranger()
	b.half()
	code := b.next()
	for _, attack := range []struct {
		name string
		key  HalfKey
		host string
	}{{"another browser", BrowserHalf(b.stranger().flow), host},
		{"another host", BrowserHalf(b.flow), "other.example.com"}, {"the cookie as mfa_token", apiKey(t, b.flow), host}} {
		by := b.by()
		by.Host = attack.host
		_, err := n.HalfSignIns.Complete(ctx, SecondStep{Key: attack.key, Method: identity.MethodTOTP, Code: code, By: by})
		wants(t, err, identity.CodeLoginRequired)
		if _, err := n.HalfSignIns.Read(ctx, attack.key, attack.host); identity.CodeOf(err) != identity.CodeLoginRequired {
			t.Error(attack.name, err)
		}
	}
	if _, err := n.SignIns.WithPassword(ctx, PasswordTry{Login: "ada", Password: password, Kind: session.Browser,
		By: b.by()}); identity.CodeOf(err) != identity.CodeInvalidRequest {
		t.Error("half a sign-in of no browser:", err)
	}
	n.clock.Move(HalfLife - 30*time.Second)
	_, err := b.totp(b.code(0))
	wants(t, err, identity.CodeLoginRequired)
	b.half()
	must(t, n.HalfSignIns.StartOver(ctx, BrowserHalf(b.flow)))
	must(t, n.HalfSignIns.StartOver(ctx, BrowserHalf(b.flow)))
	_, err = b.totp(b.next())
	wants(t, err, identity.CodeLoginRequired)

	out, err := n.SignIns.WithPassword(ctx, PasswordTry{Login: "ada", Password: password, Kind: session.API, By: b.by()})
	must(t, err)
	whole, err := n.HalfSignIns.Complete(ctx, SecondStep{Key: apiKey(t, out.MFAToken), Method: identity.MethodTOTP,
		Code: b.next(), By: b.by()})
	must(t, err)
	if whole.Secret == out.MFAToken || whole.Session.Kind != session.API || whole.Device != "" {
		t.Errorf("%+v", whole)
	}
	if live, err := n.rig.Sessions.Find(ctx, out.MFAToken, host); live != nil || err != nil {
		t.Error("an mfa_token is a session", err)
	}
	b.half()
	yes := true
	must2(n.UpdateUser(ctx, change.By{Via: "cli"}, b.user.ID, store.UserChange{Disabled: &yes}))(t)
	_, err = b.totp(b.next())
	wants(t, err, identity.CodeLoginRequired)
}

func apiKey(t *testing.T, token string) HalfKey {
	t.Helper()
	key, ok := APIHalf(token)
	if !ok {
		t.Fatal("no mfa_token")
	}
	return key
}
