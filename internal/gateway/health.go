package gateway

import (
	"context"
	"time"
)

// observe updates the gauges.
func (e *Engine) observe() {
	m := e.cfg.Metrics
	for component, ok := range e.health() {
		m.Ready(component, ok)
	}
	m.HashQueue(e.hasher.QueueLength())
}

// updateSessionGauge updates the gauge that costs a query.
func (e *Engine) updateSessionGauge() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if n, err := e.store.CountSessions(ctx, e.cfg.Now()); err == nil {
		e.cfg.Metrics.SessionsActive(n)
	}
}

// health reports what can be relied on, by component.
func (e *Engine) health() map[string]bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	h := map[string]bool{"store": e.store.Ping(ctx) == nil, "revocations": e.revoked.Ready(),
		"audit": e.audit.Health() == nil}
	if e.cfg.Redis.URL != "" {
		h["redis"] = e.cluster.Health().Refused == nil
	}
	return h
}
