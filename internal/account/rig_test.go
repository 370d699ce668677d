package account

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/revocation"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/store/storetest"
	"github.com/truxeio/caddy-truxe/internal/store/storetest/pgtest"
	"github.com/truxeio/caddy-truxe/internal/token"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const (
	host     = "app.example.com"
	origin   = "https://app.example.com"
	password = "nineteen pelicans knit scarves"
)

var home = netip.MustParseAddr("192.0.2.1")

// clock is a wall clock that tests move, common to the nodes of a test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.UnixMilli(1_780_000_005_000)} }

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

type noMetrics struct{}

func (noMetrics) Login(string, string) {}
func (noMetrics) Revocation(string)    {}
func (noMetrics) RateLimited(string)   {}

// node is the account layer of one gateway with real parts around it.
type node struct {
	*Accounts
	t     *testing.T
	clock *clock
	st    *store.Store
}

// key is the encryption key that the nodes of a test share.
var key = secret.Key{1, 2, 3, 250, 5, 61, 7, 8, 9, 110, 11, 12, 13, 14, 15, 16, 17, 18, 99, 20, 21, 22, 23, 24, 25, 26, 27, 128, 29, 30, 31, 32}

// signingKey is made once: it takes longer than most of the tests here.
var signingKey = sync.OnceValue(func() string {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
})

// passwordHash is that of the usual password.
var passwordHash = sync.OnceValue(func() string {
	h, err := credential.NewHasher(credential.Config{Cost: 10})
	if err != nil {
		panic(err)
	}
	defer h.Close()
	text, err := h.Hash(context.Background(), password)
	if err != nil {
		panic(err)
	}
	return text
})

type setting struct {
	cluster cluster.Cluster // nil: in process
	limits  ratelimit.Limits
	clock   *clock
}

func newNode(t *testing.T, cfg store.Config, set setting) *node {
	t.Helper()
	if set.clock == nil {
		set.clock = newClock()
	}
	ctx, now, log := context.Background(), set.clock.now, slog.New(slog.DiscardHandler)
	st := storetest.Open(t, cfg)
	cl := set.cluster
	if cl == nil {
		cl = cluster.NewLocal(cluster.LocalOptions{Now: now})
		t.Cleanup(func() { _ = cl.Close() })
	}
	box, err := secret.NewBox(key)
	must(t, err)
	guard, err := ratelimit.New(cl, set.limits, box.Derive("rate limit keys", 32))
	must(t, err)
	hasher, err := credential.NewHasher(credential.Config{Cost: 10, Workers: 2, Queue: 200})
	must(t, err)
	t.Cleanup(hasher.Close)
	events, err := audit.New(st, audit.Config{Logger: log, Now: now})
	must(t, err)
	t.Cleanup(func() { _ = events.Close(context.Background()) })
	ring, err := token.OpenRing(ctx, st, box, token.RingConfig{Import: signingKey(), Access: 15 * time.Minute, Logger: log, Now: now})
	must(t, err)
	table := session.New(session.Config{Source: st, Logger: log, Now: now})
	revoked := revocation.New(revocation.Config{Source: st, Feed: cl, Logger: log, Now: now, OnEvent: func(e cluster.Event) {
		if id, ok := identity.ParseID(e.Name); ok {
			table.Drop(id)
			table.DropUser(id)
		}
	}})
	run, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = revoked.Run(run) }()
	t.Cleanup(func() { stop(); <-ended })
	for i := 0; !revoked.Ready(); i++ {
		if i == 500 {
			t.Fatal("the revocation feed does not start")
		}
		time.Sleep(5 * time.Millisecond)
	}
	issuer := func(string) string { return origin }
	return &node{t: t, clock: set.clock, st: st, Accounts: &Accounts{
		Changes: &change.Changes{Store: st, Sessions: table, Revoked: revoked, Audit: events, Metrics: noMetrics{}, Logger: log, Now: now,
			AccessLifetime: 15 * time.Minute, RefreshLifetime: 30 * 24 * time.Hour, LongestSession: 30 * 24 * time.Hour},
		Cluster: cl, Hasher: hasher, Guard: guard, Ring: ring,
		Issuer:    token.NewIssuer(ring, token.IssuerConfig{Issuer: issuer, Audience: []string{"truxe"}, Access: 15 * time.Minute, Now: now}),
		Refresher: token.NewRefresher(token.RefreshConfig{Life: 30 * 24 * time.Hour, Audience: []string{"truxe"}, Now: now}),
		Metrics:   noMetrics{}, Box: box, Keyed: box.Derive("recovery codes", 32), Brand: "Example",
		Origins: func(h string) []string {
			if h == host || h == "other.example.com" || h == "192.0.2.9" {
				return []string{"https://" + h}
			}
			return nil
		}}}
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t testing.TB, err error, code identity.Code) {
	t.Helper()
	if err == nil || identity.CodeOf(err) != code {
		t.Fatalf("error %v, want %s", err, code)
	}
}

// person makes somebody with the usual password.
func (n *node) make(name string, roles ...string) identity.User {
	n.t.Helper()
	u, err := n.CreateUser(context.Background(), change.By{Via: "cli"}, NewUser{Username: name, Email: name + "@example.com", Roles: roles, PasswordHash: passwordHash()})
	must(n.t, err)
	return u
}

// browser is somebody's browser with its cookies.
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
	flow, _ := secret.NewSessionSecret()
	return &browser{node: n, name: u.Username, host: host, flow: flow, address: home, user: u}
}

// on is the same browser as another node sees it.
func (b *browser) on(n *node) *browser {
	c := *b
	c.node = n
	return &c
}

// stranger is another browser of somebody who knows what this one's owner knows.
func (b *browser) stranger() *browser {
	c := *b
	c.flow, _ = secret.NewSessionSecret()
	c.device, c.cookie, c.signed = "", "", SignedIn{}
	return &c
}

func (b *browser) by() change.By {
	by := change.By{IP: b.address.String(), UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36", Host: b.host}
	if b.cookie != "" {
		if live, err := b.Sessions.Find(context.Background(), b.cookie, b.host); err == nil && live != nil {
			by.Principal = &live.Principal
		}
	}
	return by
}

func (b *browser) in() bool { return b.cookie != "" && b.by().Principal != nil }

func (b *browser) password(text string) (SignedIn, error) {
	out, err := b.SignIn(context.Background(), SignIn{Login: b.name, Password: text, Address: b.address, Device: b.device, Flow: b.flow, Remember: b.remember,
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

func (b *browser) second(s SecondStep) (SignedIn, error) {
	s.Key, s.Device, s.Address, s.By, s.Trust = BrowserHalf(b.flow), b.device, b.address, b.by(), b.trust
	if s.Bound == "" {
		s.Bound = b.flow
	}
	return b.take(b.Complete(context.Background(), s))
}

func (b *browser) totp(code string) (SignedIn, error) {
	return b.second(SecondStep{Method: identity.MethodTOTP, Code: code})
}

// code is what the person's app shows now, or steps later.
func (b *browser) code(steps int) string {
	code, err := totp.GenerateCode(b.key.Text(), b.clock.now().Add(time.Duration(steps)*30*time.Second))
	must(b.t, err)
	return code
}

// wrong is a code that is none of the three that count.
func (b *browser) wrong() string {
	for i := 0; ; i++ {
		if code := fmt.Sprintf("%06d", i); code != b.code(-1) && code != b.code(0) && code != b.code(1) {
			return code
		}
	}
}

// next waits for the next code of the app.
func (b *browser) next() string {
	b.clock.move(30 * time.Second)
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
	setup, err := b.BeginTOTP(context.Background(), b.by())
	must(b.t, err)
	b.key = setup.Key
	c, _, err := b.ConfirmTOTP(context.Background(), b.by(), b.address, b.code(0))
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
	raw, err := b.BeginPasskey(context.Background(), in)
	must(b.t, err)
	return raw
}

// passkey adds one.
func (b *browser) passkey(a *credentialtest.Authenticator) store.Passkey {
	b.t.Helper()
	p, c, err := b.AddPasskey(context.Background(), b.by(), a.Create(b.t, b.options(PasskeyCreate), "https://"+b.host), "")
	b.changed(c, err)
	return p
}

func (b *browser) alone(answer []byte) (SignedIn, error) {
	return b.take(b.SignInWithPasskey(context.Background(), PasskeyTry{Answer: answer, Bound: b.flow, Device: b.device, Kind: session.Browser, Address: b.address, By: b.by()}))
}

func (b *browser) confirm(s ConfirmStep) error {
	s.By, s.Address = b.by(), b.address
	cookie, err := b.ConfirmWith(context.Background(), s)
	if err == nil {
		b.cookie = cookie
	}
	return err
}

// proof is what the session stands on, as SQL has it.
func (b *browser) proof() store.Proof {
	b.t.Helper()
	s, err := b.st.SessionByID(context.Background(), b.signed.Session.ID)
	must(b.t, err)
	return s.Proof()
}

func (b *browser) stands(amr, acr string, mfa, passkey bool) {
	b.t.Helper()
	p := b.proof()
	if got := strings.Join(p.AMR, " "); got != amr || p.ACR != acr || p.MFATime.IsZero() == mfa || p.PasskeyTime.IsZero() == passkey {
		b.t.Errorf("the session stands on amr %q acr %q mfa %v passkey %v, want %q %q %v %v", got, p.ACR, p.MFATime, p.PasskeyTime, amr, acr, mfa, passkey)
	}
}

// audited counts the events of a kind.
func (n *node) audited(event string) int {
	n.t.Helper()
	rows, err := n.st.ListAudit(context.Background(), store.AuditFilter{Event: event, Limit: 1000})
	must(n.t, err)
	return len(rows)
}

// race runs do in many goroutines at once and gives how many returned true.
func race(count int, do func(i int) bool) int {
	var all sync.WaitGroup
	start, won := make(chan struct{}), make(chan bool, count)
	for i := range count {
		all.Go(func() { <-start; won <- do(i) })
	}
	close(start)
	all.Wait()
	close(won)
	n := 0
	for w := range won {
		if w {
			n++
		}
	}
	return n
}

func detail(err error) string {
	var e *identity.Error
	if errors.As(err, &e) {
		return e.Detail
	}
	return ""
}
