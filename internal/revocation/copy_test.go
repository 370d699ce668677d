package revocation

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"pgregory.net/rapid"
)

func bearer(jti, session, user string, issued int64) *identity.Principal {
	p := &identity.Principal{UserID: user, SessionID: session, TokenID: jti,
		Revocable:  identity.Revocable{IssuedAt: issued},
		Credential: identity.CredentialBearer}
	p.UserKey = identity.RevocationKey(identity.RevokeUser, user)
	if jti != "" {
		p.TokenKey = identity.RevocationKey(identity.RevokeJTI, jti)
	}
	if session != "" {
		p.SessionKey = identity.RevocationKey(identity.RevokeSession, session)
	}
	return p
}

// JW-12, JW-14: each kind refuses what it names and nothing else.
func TestRevokedTokenSessionAndUserAreRefusedAndOthersAreNot(t *testing.T) {
	c := NewCopy()
	c.Put(identity.RevokeJTI, "stolen", 1, 1e15)
	c.Put(identity.RevokeSession, "ended", 1, 1e15)
	c.Put(identity.RevokeUser, "mallory", 5000, 1e15)
	for _, tc := range []struct {
		jti, session, user string
		issued             int64
		want               identity.Code
	}{
		{"stolen", "s", "alice", 9000, identity.CodeInvalidToken},
		{"other", "ended", "alice", 9000, identity.CodeSessionRevoked},
		{"", "ended", "alice", 9000, identity.CodeSessionRevoked},
		{"other", "s", "mallory", 4999, identity.CodeSessionRevoked},
		{"other", "s", "mallory", 5000, ""},
		{"other", "s", "alice", 1, ""},
		{"", "", "alice", 1, ""},
		{"ended", "stolen", "stolen", 1, ""}, // a name of one kind is not a name of another
	} {
		if got := c.Refused(bearer(tc.jti, tc.session, tc.user, tc.issued)); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc, got, tc.want)
		}
	}
	if c.Refused(nil) != "" {
		t.Error("an anonymous visitor cannot be revoked")
	}
}

// R4: a repeated event never shortens what is remembered, and only news is news.
func TestOldRevocationToldAgainDoesNotMoveNotBeforeBack(t *testing.T) {
	c := NewCopy()
	if !c.Put(identity.RevokeUser, "u", 2000, 9000) || c.Put(identity.RevokeUser, "u", 1000, 5000) ||
		!c.Put(identity.RevokeUser, "u", 3000, 9000) {
		t.Error("first and later are news, an older one is not")
	}
	if c.Refused(bearer("", "", "u", 2500)) == "" || c.Refused(bearer("", "", "u", 3000)) != "" {
		t.Error("the latest not-before counts")
	}
	c.Sweep(8000)
	if c.Refused(bearer("", "", "u", 2500)) == "" {
		t.Error("the latest expiry counts")
	}
}

// OP-06, JW-12: the copy behaves like a map under any order of revoking and sweeping.
func TestCopyAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, model, now := NewCopy(), map[string]int64{}, int64(0)
		for _, op := range rapid.SliceOfN(rapid.IntRange(0, 4000), 0, 3000).Draw(t, "ops") {
			if op < 40 {
				now += int64(op)
				c.Sweep(now)
				continue
			}
			name := strconv.Itoa(op)
			expires := now + int64(op%97)
			c.Put(identity.RevokeJTI, name, now, expires)
			model[name] = max(model[name], expires)
		}
		for name, expires := range model {
			if expires > now && c.Refused(bearer(name, "", "u", 0)) == "" {
				t.Fatalf("lost %s", name)
			}
		}
		for i := range 40 {
			if c.Refused(bearer(strconv.Itoa(i), "", "u", 0)) != "" {
				t.Fatalf("invented %d", i)
			}
		}
	})
}

// R4: what has been revoked stays refused for readers while the table grows and is swept under them.
func TestReadersNeverMissARevocationWhileTheCopyGrows(t *testing.T) {
	c := NewCopy()
	p := bearer("first", "", "u", 0)
	c.Put(identity.RevokeJTI, "first", 1, 1e15)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if c.Refused(p) == "" {
					t.Error("a revoked token passed")
					return
				}
			}
		})
	}
	for i := range 20_000 {
		name := strconv.Itoa(i)
		c.Put(identity.RevokeJTI, name, 1, int64(i))
		if c.Refused(bearer(name, "", "u", 0)) == "" {
			t.Fatalf("%d passed right after it was revoked", i)
		}
		if i%5000 == 4999 {
			c.Sweep(int64(i - 100))
		}
	}
	close(stop)
	readers.Wait()
	if n := c.Len(); n > 5200 {
		t.Errorf("%d entries kept after sweeping", n)
	}
}

// OP-06: 100,000 revocations take at most 8 MB.
func TestHundredThousandRevocationsTakeAtMostEightMegabytes(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := NewCopy()
	for i := range 100_000 {
		c.Put(identity.RevokeJTI, strconv.Itoa(i), 1, 1e15)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	got := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%.1f MB, %d B each", float64(got)/1e6, got/100_000)
	if got > 8_000_000 {
		t.Errorf("%d bytes", got)
	}
	c.Sweep(1e16)
	if c.Len() != 0 || len(c.set.table.Load().slots) != minSlots {
		t.Error("the room is not given back")
	}
}

// DESIGN 3: the question of every request costs no allocation.
func TestAskingTheCopyAllocatesNothing(t *testing.T) {
	c := NewCopy()
	c.Put(identity.RevokeUser, "u", 10, 1e15)
	p := bearer("jti", "sid", "u", 20)
	if n := testing.AllocsPerRun(1000, func() { c.Refused(p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRefused(b *testing.B) {
	for _, n := range []int{0, 100_000, 1_000_000} {
		c := NewCopy()
		for i := range n {
			c.Put(identity.RevokeJTI, strconv.Itoa(i), 1, 1e15)
		}
		p := bearer("jti", "sid", "user", 20)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c.Refused(p) != "" {
					b.Fatal("refused")
				}
			}
		})
	}
}
