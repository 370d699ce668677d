package gateway

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/console"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/signin"
)

// enrolAlice signs in and sets up an authenticator app whose clock is steps of 30 s off; it gives its key.
func enrolAlice(t *testing.T, g *Gateway, steps int) string {
	t.Helper()
	ctx, by := context.Background(), change.By{IP: "127.0.0.1", Host: "app.test"}
	signed, err := g.signin.SignIns.WithPassword(ctx, signin.PasswordTry{Login: testUser, Password: testPassword,
		Kind: "browser", By: by})
	if err != nil {
		t.Fatal(err)
	}
	live, err := g.engine.sessions.Find(ctx, signed.Secret, "app.test")
	if err != nil || live == nil {
		t.Fatal("not signed in", err)
	}
	by.Principal = &live.Principal
	setup, err := g.signin.Factors.BeginTOTP(ctx, by)
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(setup.Key.Text(), g.cfg.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.signin.Factors.ConfirmTOTP(ctx, by, netip.Addr{}, code); err != nil {
		t.Fatal(err)
	}
	return setup.Key.Text()
}

func show(t *testing.T, g *Gateway) console.UserDetails {
	t.Helper()
	out, err := g.console.Call(context.Background(), console.CommandLine, "users.show",
		json.RawMessage(`{"user":"alice"}`))
	if err != nil {
		t.Fatal(err)
	}
	return out.(console.UserDetails)
}

// MF-20: the command line shows what second factors a user has and whether the phone's clock is right, and removes
// them all: they stop at once.
func TestCommandLineShowsAndResetsFactors(t *testing.T) {
	g := start(t)
	if d := show(t, g); len(d.MFA) != 0 || d.Clock != "" || d.RecoveryCodes != 0 {
		t.Errorf("%+v", d)
	}
	enrolAlice(t, g, -1)
	if d := show(t, g); len(d.MFA) != 1 || d.MFA[0] != identity.MethodTOTP || d.RecoveryCodes != 10 ||
		d.Clock != "phone's clock about 30 s slow" {
		t.Errorf("%+v", d)
	}
	ctx, in := context.Background(), signin.PasswordTry{Login: testUser, Password: testPassword, Kind: "api",
		By: change.By{Host: "app.test"}}
	if out, err := g.signin.SignIns.WithPassword(ctx, in); err != nil || out.Half == nil {
		t.Fatal("no second step", err)
	}
	if _, err := g.console.Call(ctx, console.CommandLine, "users.reset-mfa",
		json.RawMessage(`{"user":"alice"}`)); err != nil {
		t.Fatal(err)
	}
	if d := show(t, g); len(d.MFA) != 0 || d.RecoveryCodes != 0 {
		t.Errorf("%+v", d)
	}
	if out, err := g.signin.SignIns.WithPassword(ctx, in); err != nil || out.Half != nil {
		t.Error("a factor is left", err)
	}
	if _, err := g.console.Call(ctx, console.CommandLine, "users.reset-mfa",
		json.RawMessage(`{"user":"nobody"}`)); identity.CodeOf(err) != identity.CodeNotFound {
		t.Error(err)
	}
}

// `mfa required` belongs to the configuration, not to the engine: a reload with another rule keeps sessions and
// counters, and the next sign-in follows it. Passkeys are for the hosts of the configuration only (CS-08).
func TestRuleOfSecondFactorsComesWithTheConfiguration(t *testing.T) {
	g := start(t)
	cfg := g.cfg
	cfg.MFA = MFA{Required: true, Roles: []string{identity.AdminRole}}
	if cfg.Key() != g.cfg.Key() {
		t.Error("another engine")
	}
	strict, err := New(context.Background(), g.engine, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(strict.Close)
	in := signin.PasswordTry{Login: testUser, Password: testPassword, Kind: "api", By: change.By{Host: "app.test"}}
	if out, err := strict.signin.SignIns.WithPassword(context.Background(), in); err != nil || out.Half == nil ||
		len(out.Half.Enrol) != 2 {
		t.Errorf("%+v %v", out, err)
	}
	if out, err := g.signin.SignIns.WithPassword(context.Background(), in); err != nil || out.Half != nil {
		t.Errorf("%+v %v", out, err)
	}
	for host, want := range map[string][]string{"app.test": {"https://app.test"}, "evil.test": nil, "": nil} {
		if got := strict.originsOf(host); !slices.Equal(got, want) {
			t.Errorf("origins of %q are %q", host, got)
		}
	}
}
