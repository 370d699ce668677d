package authn

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// counting signs with a number, good for a minute.
type counting struct{ n atomic.Int64 }

func (c *counting) sign(at time.Time) Sign {
	return func(_ *identity.Principal, host string) (string, time.Time, error) {
		return fmt.Sprintf("%s %d", host, c.n.Add(1)), at.Add(time.Minute), nil
	}
}

// HD-04: signing costs over a millisecond, so of requests that race for an assertion one signs, for each host and
// minute.
func TestRacingRequestsSignOneAssertion(t *testing.T) {
	var a Assertions
	var c counting
	now := time.Unix(1_780_000_000, 0)
	for minute := range 5 {
		at := now.Add(time.Duration(minute) * time.Minute)
		start, got := make(chan struct{}), make([]string, 64)
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() {
				<-start
				got[i], _ = a.For([]string{"a.test", "b.test"}[i%2], 0, at, nil, c.sign(at))
			})
		}
		close(start)
		all.Wait()
		for i, jwt := range got {
			if jwt == "" || jwt != got[i%2] {
				t.Fatalf("minute %d: %q beside %q", minute, jwt, got[i%2])
			}
		}
		if n := c.n.Load(); n != int64(2*(minute+1)) {
			t.Fatalf("minute %d: signed %d times", minute, n)
		}
	}
}

// OP-06: however many hosts a token is sent to, few assertions are kept, each for its own host.
func TestAssertionsOfOneCredentialAreBounded(t *testing.T) {
	var a Assertions
	var c counting
	now := time.Unix(1_780_000_000, 0)
	for i := range 10 * maxAssertions {
		host := fmt.Sprintf("h%d.test", i)
		jwt, err := a.For(host, 0, now, nil, c.sign(now))
		if want := fmt.Sprintf("%s %d", host, i+1); err != nil || jwt != want {
			t.Fatalf("%q: %q %v", host, jwt, err)
		}
	}
	if n := len(*a.list.Load()); n > maxAssertions {
		t.Errorf("%d are kept", n)
	}
	a.Purge(now.Add(time.Minute - 1))
	if n := len(*a.list.Load()); n != maxAssertions {
		t.Errorf("%d are left that a request may still get", n)
	}
	a.Purge(now.Add(time.Minute))
	if n := len(*a.list.Load()); n != 0 {
		t.Errorf("%d are left of a token that rests", n)
	}
	new(Assertions).Purge(now)
	later := now.Add(time.Hour)
	if _, err := a.For("last.test", 0, later, nil, c.sign(later)); err != nil || len(*a.list.Load()) != 1 {
		t.Errorf("%d are kept that no request may get: %v", len(*a.list.Load())-1, err)
	}
}

// R1: what could not be signed is tried anew by the next request, and nothing old is sent in its place.
func TestFailedSignatureIsNotRemembered(t *testing.T) {
	var a Assertions
	var c counting
	now := time.Unix(1_780_000_000, 0)
	if _, err := a.For("a.test", 0, now, nil, c.sign(now)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	broken := errors.New("no key")
	if jwt, err := a.For("a.test", 0, now, nil, func(*identity.Principal, string) (string, time.Time,
		error) {
		return "", time.Time{}, broken
	}); !errors.Is(err, broken) || jwt != "" {
		t.Errorf("%q %v", jwt, err)
	}
	if jwt, err := a.For("a.test", 0, now, nil, c.sign(now)); err != nil || jwt != "a.test 2" {
		t.Errorf("%q %v", jwt, err)
	}
}
