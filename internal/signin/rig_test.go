package signin

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/change/changetest"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
	"github.com/truxeio/caddy-truxe/internal/store/storetest/pgtest"
	"github.com/truxeio/caddy-truxe/internal/token"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const (
	host   = "app.example.com"
	origin = "https://app.example.com"
)

var home = netip.MustParseAddr("192.0.2.1")

var (
	must   = changetest.Must
	wants  = changetest.Wants
	detail = changetest.Detail
	race   = changetest.Race
)

const password = changetest.Password

// node is signing in at one gateway with real parts around it.
type node struct {
	*Parts
	*people.Directory
	rig   *changetest.Rig
	t     *testing.T
	clock *changetest.Clock
	st    *store.Store
}

func (n *node) audited(event string) int { return n.rig.Audited(event) }

// signingKey is made once: it takes longer than most of the tests here.
var signingKey = sync.OnceValue(func() string {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
})

type setting struct {
	changetest.Options
	limits ratelimit.Limits
}

func newNode(t *testing.T, cfg store.Config, set setting) *node {
	t.Helper()
	rig := changetest.New(t, cfg, set.Options)
	c, now := rig.Changes, rig.Clock.Now
	guard, err := ratelimit.New(rig.Cluster, set.limits, rig.Box.Derive("rate limit keys", 32))
	must(t, err)
	ring, err := token.OpenRing(context.Background(), c.Store, rig.Box,
		token.RingConfig{Import: signingKey(), Access: changetest.Access, Logger: c.Logger, Now: now})
	must(t, err)
	return &node{t: t, clock: rig.Clock, st: c.Store, rig: rig,
		Directory: &people.Directory{Changes: c, Hasher: rig.Hasher}, Parts: New(Config{
			Changes: c, Cluster: rig.Cluster, Sessions: rig.Sessions, Hasher: rig.Hasher, Guard: guard,
			Issuer: token.NewIssuer(ring, token.IssuerConfig{Issuer: func(string) string { return origin },
				Audience: []string{"truxe"}, Access: changetest.Access,
				Now: now}),
			Refresher: token.NewRefresher(token.RefreshConfig{Life: changetest.Refresh, Audience: []string{"truxe"},
				Now: now}),
			Metrics: changetest.Metrics{}, Box: rig.Box, CodeKey: rig.Box.Derive("recovery codes", 32), Brand: "Example",
			Origins: func(h string) []string {
				if h == host || h == "other.example.com" || h == "192.0.2.9" {
					return []string{"https://" + h}
				}
				return nil
			}})}
}

func sqliteNode(t *testing.T) *node {
	t.Helper()
	t.Parallel()
	return newNode(t, storetest.Fresh(t, "sqlite"), setting{})
}

// everywhere runs a test on each database.
func everywhere(t *testing.T, test func(t *testing.T, n *node)) {
	t.Helper()
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) { test(t, newNode(t, cfg, setting{})) })
}

// make creates a user with the usual password.
func (n *node) make(name string, roles ...string) identity.User {
	n.t.Helper()
	u, err := n.CreateUser(context.Background(), change.By{Via: "cli"},
		people.NewUser{Username: name, Email: name + "@example.com", Roles: roles, PasswordHash: changetest.PasswordHash()})
	must(n.t, err)
	return u
}

// browser is a user's browser with its cookies.
type browser struct {
	*node
	name            string
	host            string
	flow            string
	device          string
	cookie          string
	address         netip.Addr
	signed          SignedIn
	user            identity.User
	key             credential.TOTPKey
	codes           []string
	remember, trust bool
}

func (n *node) browser(u identity.User) *browser {
	flow, _ := session.NewSecret()
	return &browser{node: n, name: u.Username, host: host, flow: flow, address: home, user: u}
}

// on is the same browser as another node sees it.
func (b *browser) on(n *node) *browser {
	c := *b
	c.node = n
	return &c
}

// stranger returns another browser, of an attacker who knows what this one's user knows.
func (b *browser) stranger() *browser {
	c := *b
	c.flow, _ = session.NewSecret()
	c.device, c.cookie, c.signed = "", "", SignedIn{}
	return &c
}

func (b *browser) by() change.By {
	by := change.By{IP: b.address.String(), UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36",
		Host: b.host}
	if b.cookie != "" {
		if live, err := b.rig.Sessions.Find(context.Background(), b.cookie, b.host); err == nil && live != nil {
			by.Principal = &live.Principal
		}
	}
	return by
}

func (b *browser) in() bool { return b.cookie != "" && b.by().Principal != nil }

func (b *browser) password(text string) (SignedIn, error) {
	out, err := b.SignIns.WithPassword(context.Background(),
		PasswordTry{Login: b.name, Password: text, Address: b.address, Device: b.device, Flow: b.flow, Remember: b.remember,
			Kind: session.Browser, By: b.by()})
	return b.take(out, err)
}

// take keeps the cookies of an answer.
func (b *browser) take(out SignedIn, err error) (SignedIn, error) {
	if err == nil && out.Half == nil {
		b.signed, b.cookie = out, out.Secret
		if out.Device != "" {
			b.device = out.Device
		}
	}
	return out, err
}

// setPassword sets a password as no call does yet, for an operator: every session of the user ends.
func (n *node) setPassword(id identity.ID, fresh string) {
	n.t.Helper()
	ctx, p := context.Background(), n.Passwords
	user, err := p.changes.Store.UserByID(ctx, id)
	must(n.t, err)
	f, err := p.changes.Store.Factors(ctx, id, "", p.changes.Now())
	must(n.t, err)
	hash, alone, err := p.policy.Hash(ctx, p.hasher, fresh,
		credential.CheckContext{Username: user.Username, Email: user.Email, HasMFA: f.Any()})
	must(n.t, err)
	must(n.t, p.changes.Run(ctx, func(tx *change.Tx) error {
		if err := p.put(ctx, tx, change.By{Via: "cli"}, user, hash, alone, p.changes.Now()); err != nil {
			return err
		}
		return tx.RevokeUser(ctx, id, identity.ID{}, "password_set")
	}))
}

// takeOpened is take for a session that a ticket has opened.
func (b *browser) takeOpened(out sessions.Opened, err error) (SignedIn, error) {
	return b.take(SignedIn{Opened: out}, err)
}

func (b *browser) second(s SecondStep) (SignedIn, error) {
	s.Key, s.Device, s.Address, s.By, s.Trust = BrowserHalf(b.flow), b.device, b.address, b.by(), b.trust
	if s.Bound == "" {
		s.Bound = b.flow
	}
	return b.take(b.HalfSignIns.Complete(context.Background(), s))
}

func (b *browser) totp(code string) (SignedIn, error) {
	return b.second(SecondStep{Method: identity.MethodTOTP, Code: code})
}

// code is what the person's app shows now, or steps later.
func (b *browser) code(steps int) string {
	code, err := totp.GenerateCode(b.key.Text(), b.clock.Now().Add(time.Duration(steps)*30*time.Second))
	must(b.t, err)
	return code
}

// wrong returns a code that is not one of the three that are valid.
func (b *browser) wrong() string {
	for i := 0; ; i++ {
		if code := fmt.Sprintf("%06d", i); code != b.code(-1) && code != b.code(0) && code != b.code(1) {
			return code
		}
	}
}

// next waits for the next code of the app.
func (b *browser) next() string {
	b.clock.Move(30 * time.Second)
	return b.code(0)
}

// signIn signs in with everything that is asked for.
func (b *browser) signIn() {
	b.t.Helper()
	out, err := b.password(password)
	must(b.t, err)
	if out.Half != nil {
		_, err = b.totp(b.next())
		must(b.t, err)
	}
	if !b.in() {
		b.t.Fatal("not signed in")
	}
}

func (b *browser) changed(c Changed, err error) {
	b.t.Helper()
	must(b.t, err)
	if b.cookie = c.Cookie; !b.in() {
		b.t.Fatal("the session did not go on with its new secret")
	}
	if len(c.Codes) > 0 {
		b.codes = c.Codes
	}
}

// enrol sets up an authenticator app.
func (b *browser) enrol() {
	b.t.Helper()
	setup, err := b.Factors.BeginTOTP(context.Background(), b.by())
	must(b.t, err)
	b.key = setup.Key
	c, _, err := b.Factors.ConfirmTOTP(context.Background(), b.by(), b.address, b.code(0))
	b.changed(c, err)
}

// options asks for a challenge.
func (b *browser) options(what string) []byte {
	b.t.Helper()
	in := PasskeyBegin{For: what, Host: b.host, Bound: b.flow, By: b.by()}
	half := BrowserHalf(b.flow)
	switch {
	case what == PasskeySecond, what == PasskeyCreate && !b.in():
		in.Half = &half
	case what == PasskeyConfirm, what == PasskeyCreate:
		in.Bound = b.by().Principal.SessionID
	}
	raw, err := b.Challenges.Begin(context.Background(), in)
	must(b.t, err)
	return raw
}

// passkey adds one.
func (b *browser) passkey(a *credentialtest.Authenticator) store.Passkey {
	b.t.Helper()
	p, c, err := b.Factors.AddPasskey(context.Background(), b.by(),
		a.Create(b.t, b.options(PasskeyCreate), "https://"+b.host), "")
	b.changed(c, err)
	return p
}

func (b *browser) alone(answer []byte) (SignedIn, error) {
	return b.take(b.SignIns.WithPasskey(context.Background(),
		PasskeyTry{Answer: answer, Bound: b.flow, Device: b.device, Kind: session.Browser, Address: b.address, By: b.by()}))
}

func (b *browser) confirm(s ConfirmStep) error {
	s.By, s.Address = b.by(), b.address
	cookie, err := b.Confirmations.Confirm(context.Background(), s)
	if err == nil {
		b.cookie = cookie
	}
	return err
}

// proof returns the proof of the session, as SQL has it.
func (b *browser) proof() identity.Proof {
	b.t.Helper()
	s, err := b.st.SessionByID(context.Background(), b.signed.Session.ID)
	must(b.t, err)
	return s.Proof
}

func (b *browser) stands(amr, acr string, mfa, passkey bool) {
	b.t.Helper()
	p := b.proof()
	if got := strings.Join(p.AMR, " "); got != amr || p.ACR != acr || p.MFATime.IsZero() == mfa ||
		p.PasskeyTime.IsZero() == passkey {
		b.t.Errorf("the session is proven by amr %q acr %q mfa %v passkey %v, want %q %q %v %v", got, p.ACR, p.MFATime,
			p.PasskeyTime, amr, acr, mfa, passkey)
	}
}
