package gate

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/truxeio/caddy-truxe/internal/audit"
)

const (
	// reportQuiet is how long the same is not reported again.
	reportQuiet = time.Minute
	// keptReports bounds what is remembered for that.
	keptReports = 4096
)

// reports remembers what was reported, so that a page of many requests is one line.
type reports struct {
	mu   sync.Mutex
	seen map[reported]time.Time
}

type reported struct{ who, host, method, path, rule string }

// isNew reports whether the same was not reported within the minute. It copies what it keeps, and only then.
func (k *reports) isNew(r reported, now time.Time) bool {
	for _, text := range []*string{&r.host, &r.method, &r.path} {
		*text = (*text)[:min(len(*text), keptPath)]
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if last, ok := k.seen[r]; ok && now.Sub(last).Abs() < reportQuiet {
		return false
	}
	if k.seen == nil || len(k.seen) >= keptReports {
		k.seen = make(map[reported]time.Time)
	}
	r.host, r.method, r.path = strings.Clone(r.host), strings.Clone(r.method), strings.Clone(r.path)
	k.seen[r] = now
	return true
}

// report writes down what would have been decided, once a minute for the same user, request and rule, and for all anonymous
// requests together.
func (g *Gate) report(r *http.Request, s *Site, c Client, v *verdict) {
	would := v.decision.Report
	g.Metrics.Decision("report", string(would.Code))
	p := v.principal()
	if p != nil && !g.reports.isNew(reported{p.UserID, v.request.Host, v.request.Method, v.request.Path, would.Rule}, g.Now()) {
		return
	}
	shown := *v
	shown.decision = *would
	event := func() audit.Event {
		e := denial(r, c, &shown)
		e.Outcome = "report"
		if would.Allow { // a rule in report mode would have opened what is closed
			e.Reason = "would_allow"
		}
		return e
	}
	if p == nil { // a stranger chooses paths at will
		g.Audit.Deny(s.denialKind(&shown, "report "+string(would.Code)), event)
		return
	}
	g.Audit.Note(event())
}

// denialKind says which refusals are one row a minute in the audit log.
func (s *Site) denialKind(v *verdict, reason string) audit.Denial {
	kind := audit.Denial{Site: s.rules.Name(), Reason: reason, Rule: v.decision.Rule}
	if p := v.principal(); p != nil {
		kind.User = p.UserID
	}
	return kind
}

// denial is the audit event of a refusal, with the trace that `caddy truxe explain` shows.
func denial(r *http.Request, c Client, v *verdict) audit.Event {
	e := audit.Event{Event: audit.AuthzFail, Outcome: "deny", IP: c.Addr, UserAgent: r.UserAgent(), Host: r.Host, Method: r.Method,
		Path: r.URL.Path, Reason: string(v.decision.Code), Details: map[string]string{"rule": v.decision.Rule}}
	p := v.principal()
	if p != nil {
		e.Actor = audit.Actor{ID: p.UserID, Name: p.Username}
		e.Session = p.SessionID
		e.Details["roles"], e.Details["amr"] = strings.Join(p.Roles, ","), strings.Join(p.AMR, ",")
	}
	if v.set != nil {
		e.Details[audit.PackedDetail] = audit.Pack(v.set.Brief(v.request, p).Compact())
	}
	return e
}
