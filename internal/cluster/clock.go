package cluster

import (
	"sync"
	"time"
)

// clock counts elapsed nanoseconds and never runs backwards: when its source steps back, time stands still for one
// reading and goes on from there, so no client is freed earlier or locked for the length of the step (LK-12).
type clock struct {
	now     func() time.Time
	mu      sync.Mutex
	last    time.Time
	elapsed int64
}

func newClock(now func() time.Time) *clock {
	if now == nil {
		now = time.Now
	}
	return &clock{now: now, last: now()}
}

func (c *clock) read() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.advance(c.now())
}

// at is read with a time that the caller has taken already.
func (c *clock) at(t time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.advance(t)
}

// advance takes less than a second backwards for calls that overtook each other, and more for a step.
func (c *clock) advance(t time.Time) int64 {
	switch d := t.Sub(c.last); {
	case d > 0:
		c.elapsed += int64(d)
		c.last = t
	case d < -time.Second:
		c.last = t
	}
	return c.elapsed
}
