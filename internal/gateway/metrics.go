package gateway

import "time"

// Metrics receives what happens; implemented with Caddy's registry.
type Metrics interface {
	Decision(decision, reason string)
	DecisionDuration(path string, d time.Duration)
	Login(method, outcome string)
	SessionsActive(n int)
	Revocation(kind string)
	RevocationLag(d time.Duration)
	Ready(component string, ok bool)
	HashQueue(n int)
	RateLimited(limit string)
	AuditEvent(event string)
}

// noMetrics discards everything.
type noMetrics struct{}

func (noMetrics) Decision(string, string)                {}
func (noMetrics) DecisionDuration(string, time.Duration) {}
func (noMetrics) Login(string, string)                   {}
func (noMetrics) SessionsActive(int)                     {}
func (noMetrics) Revocation(string)                      {}
func (noMetrics) RevocationLag(time.Duration)            {}
func (noMetrics) Ready(string, bool)                     {}
func (noMetrics) HashQueue(int)                          {}
func (noMetrics) RateLimited(string)                     {}
func (noMetrics) AuditEvent(string)                      {}
