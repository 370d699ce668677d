package caddymodule

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collectors are made once for the process and registered in the registry of each configuration: counters made per
// instance would freeze after a rejected reload (CADDY-FACTS section 5). No label holds a user, address or raw path.
var collectors = newMetrics()

type metrics struct {
	decisions     *prometheus.CounterVec
	decisionTime  *prometheus.HistogramVec
	logins        *prometheus.CounterVec
	sessions      prometheus.Gauge
	revocations   *prometheus.CounterVec
	revocationLag prometheus.Histogram
	ready         *prometheus.GaugeVec
	hashQueue     prometheus.Gauge
	rateLimited   *prometheus.CounterVec
	auditEvents   *prometheus.CounterVec

	// Members of decisions and decisionTime that the warm path uses, looked up once.
	allowed prometheus.Counter // decisions{allow,""}
	timed   timed
}

// timed are the members of decisionTime, by what the credential cost.
type timed struct{ cookie, bearerCached, bearerCold, public prometheus.Observer }

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "caddy", Subsystem: "truxe", Name: name,
			Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.GaugeOpts {
		return prometheus.GaugeOpts{Namespace: "caddy", Subsystem: "truxe", Name: name, Help: help}
	}
	m := &metrics{
		decisions: counter("decisions_total", "Requests judged, by decision and reason.", "decision", "reason"),
		decisionTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "caddy", Subsystem: "truxe",
			Name: "decision_duration_seconds", Help: "Time to judge a request, by kind of credential.",
			Buckets: []float64{1e-6, 2e-6, 5e-6, 1e-5, 5e-5, 1e-4, 1e-3, 1e-2, 0.1, 1}}, []string{"path"}),
		logins:      counter("logins_total", "Sign-ins tried, by method and outcome.", "method", "outcome"),
		sessions:    prometheus.NewGauge(gauge("sessions_active", "Sessions alive, as last counted.")),
		revocations: counter("revocations_total", "Revocations, by kind.", "kind"),
		revocationLag: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "caddy", Subsystem: "truxe",
			Name: "revocation_lag_seconds", Help: "Time from a revocation on another node until this one applied it.",
			Buckets: []float64{.0005, .001, .005, .01, .05, .1, .5, 1, 5, 30}}),
		ready: prometheus.NewGaugeVec(gauge("state_ready", "Whether a component can be relied on: 1 or 0."),
			[]string{"component"}),
		hashQueue:   prometheus.NewGauge(gauge("hash_queue_length", "Passwords waiting to be hashed.")),
		rateLimited: counter("rate_limited_total", "Refusals for too many tries, by limit.", "limit"),
		auditEvents: counter("audit_events_total", "Audit events written, by event.", "event"),
	}
	m.allowed = m.decisions.WithLabelValues("allow", "")
	m.timed = timed{cookie: m.decisionTime.WithLabelValues("cookie"),
		bearerCached: m.decisionTime.WithLabelValues("bearer_cached"),
		bearerCold:   m.decisionTime.WithLabelValues("bearer_cold"), public: m.decisionTime.WithLabelValues("public")}
	return m
}

// register adds the collectors to the registry of one configuration; being there already is fine.
func (m *metrics) register(registry *prometheus.Registry) error {
	if registry == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m.decisions, m.decisionTime, m.logins, m.sessions, m.revocations,
		m.revocationLag,
		m.ready, m.hashQueue, m.rateLimited, m.auditEvents} {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(c); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}

// The methods below implement gateway.Metrics.

func (m *metrics) Decision(decision, reason string) {
	if decision == "allow" && reason == "" {
		m.allowed.Inc()
		return
	}
	m.decisions.WithLabelValues(decision, reason).Inc()
}

func (m *metrics) DecisionDuration(path string, d time.Duration) {
	seconds := d.Seconds()
	switch path {
	case "cookie":
		m.timed.cookie.Observe(seconds)
	case "bearer_cached":
		m.timed.bearerCached.Observe(seconds)
	case "bearer_cold":
		m.timed.bearerCold.Observe(seconds)
	case "public":
		m.timed.public.Observe(seconds)
	}
}

func (m *metrics) Login(method, outcome string)  { m.logins.WithLabelValues(method, outcome).Inc() }
func (m *metrics) SessionsActive(n int)          { m.sessions.Set(float64(n)) }
func (m *metrics) Revocation(kind string)        { m.revocations.WithLabelValues(kind).Inc() }
func (m *metrics) RevocationLag(d time.Duration) { m.revocationLag.Observe(d.Seconds()) }
func (m *metrics) HashQueue(n int)               { m.hashQueue.Set(float64(n)) }
func (m *metrics) RateLimited(limit string)      { m.rateLimited.WithLabelValues(limit).Inc() }
func (m *metrics) AuditEvent(event string)       { m.auditEvents.WithLabelValues(event).Inc() }
func (m *metrics) Ready(component string, ok bool) {
	v := 0.0
	if ok {
		v = 1
	}
	m.ready.WithLabelValues(component).Set(v)
}
