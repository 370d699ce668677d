package cluster

import (
	"sync"
	"time"
)

// clock counts elapsed nanoseconds and never runs backwards: when its source steps back, time stands still for one
// reading and goes on from there, so nobody is freed earlier and nobody is locked for the length of the step (LK-12).
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
	t := c.now()
	if d := t.Sub(c.last); d > 0 {
		c.elapsed += int64(d)
	}
	c.last = t
	return c.elapsed
}
