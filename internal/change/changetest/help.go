package changetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Clock is a wall clock that tests move, common to the nodes of a test.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock returns a clock that shows the same time at the start of every test.
func NewClock() *Clock { return &Clock{at: time.UnixMilli(1_780_000_005_000)} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

// Move moves the clock by d.
func (c *Clock) Move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

// Must ends the test at an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Wants ends the test unless err has the code.
func Wants(t testing.TB, err error, code identity.Code) {
	t.Helper()
	if err == nil || identity.CodeOf(err) != code {
		t.Fatalf("error %v, want %s", err, code)
	}
}

// Detail returns what an error says to users.
func Detail(err error) string {
	var e *identity.Error
	if errors.As(err, &e) {
		return e.Detail
	}
	return ""
}

// Race runs do in many goroutines at once and returns how many returned true.
func Race(count int, do func(i int) bool) int {
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
