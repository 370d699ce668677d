package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// SE-01: the cookie's value is 256 random bits of which SQL gets only the SHA-256.
func TestStolenDatabaseHoldsNoUsableCookie(t *testing.T) {
	l := newLedger()
	table := node(l, nil, nil)
	u := l.user("alice")
	seen := map[string]bool{}
	for range 100 {
		value, s := signIn(t, table, l, u, nil)
		if len(value) != 43 || seen[value] {
			t.Fatalf("%q", value)
		}
		seen[value] = true
		raw, err := base64.RawURLEncoding.DecodeString(value)
		if err != nil || len(raw) != 32 || s.SecretHash != sha256.Sum256(raw) {
			t.Fatal("not the SHA-256 of 256 bits")
		}
		rows, err := json.Marshal(slices.Collect(maps.Values(l.sessions)))
		if err != nil || len(rows) < 100 {
			t.Fatal("control: the rows cannot be read", err)
		}
		if holds(rows, value) || holds(rows, base64.StdEncoding.EncodeToString(raw)) {
			t.Fatal("the value is stored")
		}
		if found(t, table, value) == nil {
			t.Fatal("control: the value signs in")
		}
	}
}

// SE-03, SE-08: what a client invents, cuts or lengthens is "not signed in"; what has not even the form of a cookie of
// ours is not worth a read of SQL.
func TestInventedBrokenOrTruncatedCookieIsNotSignedIn(t *testing.T) {
	l := newLedger()
	table := node(l, nil, nil)
	value, _ := signIn(t, table, l, l.user("alice"), nil)
	for _, broken := range []string{"", "x", value[:42], value + "A", value + "=", value + " ", "." + value[1:],
		strings.Repeat("A", 100_000),
		value[:42] + "\x00", "\"" + value + "\"", value + "." + value} {
		if found(t, table, broken) != nil {
			t.Errorf("%.60q signs in", broken)
		}
	}
	if n := l.reads.Load(); n != 0 {
		t.Errorf("%d reads for cookies without form", n)
	}
	invented, hash := NewSecret()
	if found(t, table, invented) != nil {
		t.Error("an invented value signs in")
	}
	for range 100 {
		found(t, table, invented)
	}
	if n := l.reads.Load(); n != 1 {
		t.Errorf("%d reads for one unknown cookie", n)
	}
	if _, s := signIn(t, table, l, l.user("bob"), nil); s.SecretHash == hash {
		t.Error("adopted")
	}
	if found(t, table, value) == nil {
		t.Error("control: the real one signs in")
	}
}

// The principal is who SQL says, bound to the host the session was made for.
func TestSessionGivesItsPrincipalOnItsOwnHostOnly(t *testing.T) {
	l, c := newLedger(), newClock()
	table := node(l, c, nil)
	u := l.user("alice", "staff", "admin")
	value, s := signIn(t, table, l, u, nil)
	live := found(t, table, value)
	p := live.Principal
	if p.UserID != u.ID.String() || p.Username != "alice" || p.Email != u.Email || !p.HasRole("admin") ||
		p.SessionID != s.ID.String() ||
		p.Credential != identity.CredentialCookie || !p.Expires.Equal(s.Expires) || p.IssuedAt != s.Created.UnixMilli() ||
		p.ACR != "1" || p.AMR[0] != "pwd" {
		t.Errorf("%+v", p)
	}
	if p.SessionKey != identity.RevocationKey(identity.RevokeSession, p.SessionID) ||
		p.UserKey != identity.RevocationKey(identity.RevokeUser, p.UserID) || p.TokenKey != (identity.Key{}) {
		t.Error("keys of the revocation copy")
	}
	if other, err := table.Find(context.Background(), value, "other.example.com"); other != nil || err != nil {
		t.Error("works on another host")
	}
	if again := found(t, table, value); again != live || l.reads.Load() != 1 {
		t.Error("the second request must find the same in memory")
	}
	live.Attach(&u)
	if found(t, table, value).Attached() != &u {
		t.Error("what was attached is lost")
	}
}

// SE-10: idle time ends a session, use extends it, never past the absolute end.
func TestIdleAndAbsoluteEndAreEnforced(t *testing.T) {
	l, c := newLedger(), newClock()
	table := node(l, c, nil)
	value, _ := signIn(t, table, l, l.user("alice"), nil)
	asking, _ := signIn(t, table, l, l.user("bob"), nil)
	found(t, table, asking)
	for i := range 47 { // 23 h 30 of use
		live := found(t, table, value)
		if live == nil {
			t.Fatalf("ended after %d half hours of use", i)
		}
		table.Used(live)
		c.pass(30 * time.Minute)
		if i == 0 && found(t, table, asking) == nil {
			t.Fatal("half an hour is not idle")
		}
		if i == 1 && found(t, table, asking) != nil {
			t.Fatal("SE-10: asking extends the session")
		}
	}
	if found(t, table, value) == nil {
		t.Fatal("in use and not over")
	}
	c.pass(30*time.Minute - time.Millisecond)
	table.Used(found(t, table, value))
	c.pass(time.Millisecond)
	if found(t, table, value) != nil {
		t.Error("lives longer than max")
	}
	table.sweep()
	if table.known() != 0 {
		t.Errorf("%d sessions that are over stay in memory", table.known())
	}
}

// "Keep me signed in" holds for 30 days without use; a ticket's session ends with its parent.
func TestRememberedSessionLivesThirtyDaysAndChildNoLongerThanItsParent(t *testing.T) {
	l, c := newLedger(), newClock()
	table := node(l, c, nil)
	kept, s := signIn(t, table, l, l.user("alice"), func(n *NewSession) { n.Remember = true })
	_, child := signIn(t, table, l, l.user("bob"), func(n *NewSession) { n.Until = c.now().Add(20 * time.Minute) })
	if child.Expires != c.now().Add(20*time.Minute) || child.Idle > 20*time.Minute ||
		s.Expires != c.now().Add(30*24*time.Hour) {
		t.Errorf("%v, %v, %v", child.Expires, child.Idle, s.Expires)
	}
	c.pass(30*24*time.Hour - time.Second)
	if found(t, table, kept) == nil {
		t.Error("not kept")
	}
	c.pass(time.Second)
	if found(t, table, kept) != nil {
		t.Error("kept for longer")
	}
}

// SE-10: a session that is idle here but was used on another node goes on.
func TestUseOnAnotherNodeKeepsTheSessionAlive(t *testing.T) {
	l, c := newLedger(), newClock()
	a, b := node(l, c, nil), node(l, c, nil)
	value, _ := signIn(t, a, l, l.user("alice"), nil)
	found(t, b, value)
	c.pass(50 * time.Minute)
	a.Used(found(t, a, value))
	if err := a.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.pass(20 * time.Minute)
	if found(t, b, value) == nil {
		t.Error("b ended a session that is in use on a")
	}
	c.pass(45 * time.Minute)
	if found(t, b, value) != nil {
		t.Error("control: idle everywhere")
	}
}

// FAULTS 16: a clock that jumps ends no session in use and lengthens none.
func TestClockJumpsNeitherEndNorLengthenASession(t *testing.T) {
	l, c := newLedger(), newClock()
	table := node(l, c, nil)
	value, _ := signIn(t, table, l, l.user("alice"), nil)
	found(t, table, value)
	c.wall.Add(int64(2 * time.Hour))
	if found(t, table, value) == nil {
		t.Error("a clock set ahead by two hours is not two hours of idling")
	}
	c.wall.Add(-int64(48 * time.Hour))
	c.steady.Add(int64(30 * time.Minute))
	for range 47 { // in use by every clock but the wall's, which is before the session's beginning
		live := found(t, table, value)
		if live == nil {
			t.Fatal("ended by a clock set back")
		}
		table.Used(live)
		c.steady.Add(int64(30 * time.Minute))
	}
	if hash, _ := ParseSecret(value); table.ready(&hash) != nil {
		t.Error("a clock set back lets the copy in memory live for more than 24 hours")
	}
}

// SE-02: after a rotation the old value is dead, the new one has what was proven; of two rotations one wins.
func TestOldCookieIsDeadAfterTheSecretIsRenewed(t *testing.T) {
	l, c := newLedger(), newClock()
	a, b := node(l, c, nil), node(l, c, nil)
	u := l.user("alice")
	old, s := signIn(t, a, l, u, nil)
	found(t, a, old)
	found(t, b, old)
	c.pass(time.Minute)
	fresh, err := a.Rotate(context.Background(), l, s, identity.Proof{AuthTime: c.now(), MFATime: c.now(),
		PasskeyTime: c.now(), AMR: []string{"pwd", "otp"}, ACR: "2"})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []*userTable{a, b} { // what the caller's announcement does on every node
		n.DropUser(u.ID)
		if found(t, n, old) != nil {
			t.Error("the old value still signs in")
		}
		live := found(t, n, fresh)
		if live == nil || live.Principal.SessionID != s.ID.String() || live.Principal.ACR != "2" ||
			!live.Principal.AuthTime.Equal(c.now()) ||
			!live.Principal.MFATime.Equal(c.now()) || !live.Principal.PasskeyTime.Equal(c.now()) {
			t.Errorf("%+v", live)
		}
	}
	if _, err := a.Rotate(context.Background(), l, s,
		identity.Proof{AuthTime: c.now()}); identity.CodeOf(err) != identity.CodeSessionRevoked {
		t.Errorf("a second rotation of the same secret: %v", err)
	}
}

// SE-13, AZ-08: after the announcement a disabled user is refused, a removed role is gone, and an ended session too.
func TestDisabledUserAndRemovedRoleCountOnTheNextRequest(t *testing.T) {
	l := newLedger()
	table := node(l, nil, nil)
	u := l.user("alice", "admin")
	one, s := signIn(t, table, l, u, nil)
	two, _ := signIn(t, table, l, u, nil)
	other, _ := signIn(t, table, l, l.user("bob", "admin"), nil)
	for _, v := range []string{one, two, other} {
		if !found(t, table, v).Principal.HasRole("admin") {
			t.Fatal("control")
		}
	}
	l.change(u.ID, func(u *store.UserRecord) { u.Roles = nil })
	table.DropUser(u.ID)
	if found(t, table, one).Principal.HasRole("admin") || found(t, table, two).Principal.HasRole("admin") ||
		!found(t, table, other).Principal.HasRole("admin") {
		t.Error("roles")
	}
	l.end(s.ID)
	table.Drop(s.ID)
	if found(t, table, one) != nil || found(t, table, two) == nil {
		t.Error("ended session")
	}
	l.change(u.ID, func(u *store.UserRecord) { u.Disabled = true })
	table.DropUser(u.ID)
	if found(t, table, two) != nil || found(t, table, other) == nil {
		t.Error("disabled user")
	}
	l.change(u.ID, func(u *store.UserRecord) { u.Disabled = false; u.NotBefore = time.Now().Add(time.Second) })
	table.DropUser(u.ID)
	if found(t, table, two) != nil {
		t.Error("JW-14: a session from before the sign-out everywhere")
	}
	l.change(u.ID, func(u *store.UserRecord) { u.NotBefore = time.Time{} })
	table.DropAll()
	if found(t, table, two) == nil || found(t, table, other) == nil {
		t.Error("control: after a gap of the feed everything is read again")
	}
}

// AZ-08: a change that is announced while a row is being read is not overlooked.
func TestChangeDuringTheReadIsNotOverlooked(t *testing.T) {
	for name, drop := range map[string]func(*userTable, store.Session){
		"user":    func(t *userTable, s store.Session) { t.DropUser(s.UserID) },
		"session": func(t *userTable, s store.Session) { t.Drop(s.ID) },
		"all":     func(t *userTable, _ store.Session) { t.DropAll() },
		"many": func(t *userTable, s store.Session) {
			t.DropUser(s.UserID)
			for range dropsKept {
				t.Drop(identity.NewID())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger()
			table := node(l, nil, nil)
			u := l.user("alice", "admin")
			value, s := signIn(t, table, l, u, nil)
			var once sync.Once
			slow := func() {
				once.Do(func() { // the row with the role has been read and is on its way
					l.change(u.ID, func(u *store.UserRecord) { u.Roles = nil })
					drop(table, s)
				})
			}
			l.slow.Store(&slow)
			again := found(t, table, value).Principal.HasRole("admin")
			if again || found(t, table, value).Principal.HasRole("admin") {
				t.Error("the removed role came back")
			}
		})
	}
}

// R1: when SQL does not answer, the state is unknown; that is an error and not "not signed in". Sessions in memory go
// on.
func TestUnreadableDatabaseIsNotNotSignedIn(t *testing.T) {
	l := newLedger()
	table := node(l, nil, nil)
	warm, _ := signIn(t, table, l, l.user("alice"), nil)
	cold, _ := signIn(t, table, l, l.user("bob"), nil)
	found(t, table, warm)
	l.down.Store(true)
	live, err := table.Find(context.Background(), cold, host)
	if live != nil || identity.CodeOf(err) != identity.CodeStateUnavailable || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v, %v", live, err)
	}
	if found(t, table, warm) == nil {
		t.Error("a session in memory needs no SQL")
	}
	l.down.Store(false)
	if found(t, table, cold) == nil {
		t.Error("control: found when SQL is back, at once")
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	table.DropAll()
	if live, err := table.Find(gone, cold, host); live != nil || err == nil {
		t.Error("a client that has gone away is told nothing")
	}
}

// A thousand requests of one new session are one read.
func TestManyRequestsOfOneColdSessionAreOneRead(t *testing.T) {
	l := newLedger()
	table := node(l, nil, nil)
	value, _ := signIn(t, table, l, l.user("alice"), nil)
	release := make(chan struct{})
	slow := func() { <-release }
	l.slow.Store(&slow)
	var work sync.WaitGroup
	var ok atomic.Int64
	for range 1000 {
		work.Go(func() {
			if live, err := table.Find(context.Background(), value, host); err == nil && live != nil {
				ok.Add(1)
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	close(release)
	work.Wait()
	if ok.Load() != 1000 || l.reads.Load() != 1 {
		t.Errorf("%d found with %d reads", ok.Load(), l.reads.Load())
	}
}
