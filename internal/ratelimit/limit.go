// Package ratelimit bounds tries: of sign-ins across all nodes (Guard) and of requests to one site on this node (Site).
//
// Tries are reserved before they are checked (R7, LK-06), counted per person whatever the spelling, per address, and
// over the whole gateway, and given back when they turn out well.
package ratelimit

import (
	"errors"
	"fmt"
	"time"

	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Rate is so many events in a window: all at once, then refilled evenly over the window.
type Rate struct {
	Events int
	Window time.Duration
}

// Check refuses rates that cannot be counted: see cluster.Bucket.Check.
func (r Rate) Check() error {
	if err := r.bucket("").Check(); err != nil {
		return fmt.Errorf("rate limit: %w", err)
	}
	return nil
}

func (r Rate) bucket(key string) cluster.Bucket {
	return cluster.Bucket{Key: key, Burst: r.Events, Window: r.Window}
}

// Names of limits, as clients and metrics see them. A person's and a device's limit bear one name: whether a device is
// known must not be disclosed (LK-09).
const (
	NameLogin   = "login"
	NameAddress = "address"
	NameTotal   = "total"
	NameSite    = "site"
)

// Limit is the state of one limit after a try.
type Limit struct {
	Name       string // NameLogin, ...
	Quota      int
	Window     time.Duration
	Remaining  int
	RetryAfter time.Duration // until one event is possible; 0 when Remaining > 0
	ResetAfter time.Duration // until the whole quota is there again
}

func limitOf(name string, r Rate, s cluster.LimitState) Limit {
	return Limit{Name: name, Quota: r.Events, Window: r.Window,
		Remaining: s.Remaining, RetryAfter: s.RetryAfter, ResetAfter: s.ResetAfter}
}

// Limited is the cause inside an *identity.Error with CodeRateLimited: the limits that were hit, for problem+json
// (LK-11), the RateLimit fields (LK-10) and metrics.
type Limited struct{ Limits []Limit }

// Error names the limits.
func (l *Limited) Error() string { return fmt.Sprint("limits reached: ", l.names()) }

func (l *Limited) names() []string {
	var out []string
	for _, limit := range l.Limits {
		out = append(out, limit.Name)
	}
	return out
}

// refuse is what a throttled client is told: nothing about the account (LK-09).
func refuse(hit []Limit) error {
	e := identity.Refuse(identity.CodeRateLimited, "Too many tries. Please wait and try again.").Because(&Limited{hit})
	for _, l := range hit {
		e.RetryAfter = max(e.RetryAfter, l.RetryAfter)
	}
	return e
}

// LimitsOf names the limits that an error says were hit; nil for any other error.
func LimitsOf(err error) []string {
	var l *Limited
	if errors.As(err, &l) {
		return l.names()
	}
	return nil
}

// FieldsOf returns the header fields for an error; false for any other error.
func FieldsOf(err error) (rateLimit, policy string, ok bool) {
	var l *Limited
	if !errors.As(err, &l) {
		return "", "", false
	}
	rateLimit, policy = Fields(l.Limits...)
	return rateLimit, policy, true
}

// Left is inside the error of a try that failed: what its limits leave.
type Left struct{ Limits []Limit }

// Error is empty: the error that contains it has the message.
func (l *Left) Error() string { return "a try failed" }

// Refuse adds to the error of a try that failed how many are left. It counts the try as failed.
func (t *Try) Refuse(err error) error {
	t.Fail()
	var known *identity.Error
	if !errors.As(err, &known) {
		return err
	}
	return known.Because(errors.Join(err, &Left{t.limits}))
}

// LeftOf returns how many attempts the user of a failed attempt has left, and the pause that follows; false for any
// other error. It is the same for unknown names (R12).
func LeftOf(err error) (tries int, pause time.Duration, ok bool) {
	var l *Left
	if !errors.As(err, &l) {
		return 0, 0, false
	}
	for _, limit := range l.Limits {
		if limit.Name == NameLogin {
			return limit.Remaining, limit.Window / time.Duration(max(1, limit.Quota)), true
		}
	}
	return 0, 0, false
}
