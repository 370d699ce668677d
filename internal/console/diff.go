package console

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/policy/policyfile"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// DiffQuery names two sets of policy files and how far back to compare them, such as "24h" or "7d".
type DiffQuery struct {
	Old   []policyfile.Source `json:"old"`
	New   []policyfile.Source `json:"new"`
	Since string              `json:"since"`
}

// DiffRow is a request that a user has made and that other policies would decide otherwise.
type DiffRow struct {
	Change string        `json:"change"` // gains, loses, or changes: allowed neither before nor after, or asked for more
	User   string        `json:"user"`
	Method string        `json:"method"`
	Host   string        `json:"host"`
	Path   string        `json:"path"`
	Old    string        `json:"old"` // allow, deny, login, step_up
	New    string        `json:"new"`
	Code   identity.Code `json:"code"`
	Rule   string        `json:"rule"` // what decides with the new policies
	Last   string        `json:"last"`
}

// Diff is the requests that other policies would decide otherwise.
type Diff struct {
	Items    []DiffRow `json:"items"`
	Replayed int       `json:"replayed"`
	Omitted  int       `json:"omitted"`
	Gone     int       `json:"gone"` // of users or hosts that are gone
}

// maxDiff bounds the rows of an answer.
const maxDiff = 10_000

// DiffPolicies decides what was recorded again, with two sets of policy files at the sites of this configuration. Users
// are judged by the roles they have today and by the factors they had proven then.
func (c *Console) DiffPolicies(ctx context.Context, in DiffQuery) (Diff, error) {
	since, err := startOf(in.Since, c.Now())
	if err != nil {
		return Diff{}, err
	}
	before, err := c.rulesWith(in.Old)
	if err != nil {
		return Diff{}, err
	}
	after, err := c.rulesWith(in.New)
	if err != nil {
		return Diff{}, err
	}
	var recorded []store.Decision
	if err := c.Store.Decisions(ctx, since,
		func(d store.Decision) error { recorded = append(recorded, d); return nil }); err != nil {
		return Diff{}, err
	}
	replay := replay{store: c.Store, now: c.Now(), before: before, after: after, users: map[string]*identity.Principal{}}
	out := Diff{Items: []DiffRow{}}
	for _, d := range recorded {
		row, changed, known, err := replay.one(ctx, d)
		switch {
		case err != nil:
			return Diff{}, err
		case !known:
			out.Gone++
		case changed && len(out.Items) == maxDiff:
			out.Omitted++
		case changed:
			out.Items = append(out.Items, row)
		}
		out.Replayed++
	}
	slices.SortStableFunc(out.Items, func(a, b DiffRow) int {
		return strings.Compare(a.Change+"\x00"+a.User+"\x00"+a.Host+a.Path, b.Change+"\x00"+b.User+"\x00"+b.Host+b.Path)
	})
	return out, nil
}

// startOf returns when a window that ends now begins.
func startOf(window string, now time.Time) (time.Time, error) {
	day := strings.HasSuffix(window, "d")
	number := window
	if day {
		number = strings.TrimSuffix(window, "d") + "h"
	}
	d, err := time.ParseDuration(number)
	if day {
		d *= 24
	}
	if err != nil || d <= 0 || d > 400*24*time.Hour {
		return time.Time{}, identity.Invalid(fmt.Sprintf("%q is not a duration, such as 24h or 7d", window))
	}
	return now.Add(-d), nil
}

func (c *Console) rulesWith(sources []policyfile.Source) (*rules.Book, error) {
	book, err := c.Policies.Book.WithSources(sources)
	if err != nil {
		return nil, identity.Invalid(err.Error())
	}
	return book, nil
}

// replay decides recorded requests with two sets of rules.
type replay struct {
	store         *store.Store
	now           time.Time
	before, after *rules.Book
	users         map[string]*identity.Principal // nil: gone
}

func (r *replay) one(ctx context.Context, d store.Decision) (row DiffRow, changed, known bool, err error) {
	p, err := r.user(ctx, d.UserID)
	if err != nil || p == nil {
		return row, false, false, err
	}
	who := *p
	who.ACR, who.ClientID, who.AuthTime = d.ACR, d.Client, d.Last
	if d.ACR >= identity.ACRMFA {
		who.MFATime = d.Last
	}
	if d.ACR >= identity.ACRPasskey {
		who.PasskeyTime = d.Last
	}
	request := policy.Request{Host: d.Host, Method: d.Method, Path: d.Path, Now: d.Last}
	request.Addr, _ = netip.ParseAddr(d.Address)
	was, ok := r.before.At(d.Host, d.Site)
	will, _ := r.after.At(d.Host, d.Site)
	if !ok {
		return row, false, false, nil
	}
	a, b := was.Decide(request, &who), will.Decide(request, &who)
	row = DiffRow{Change: "changes", User: policy.LocalName(&who), Method: d.Method, Host: d.Host, Path: d.Path,
		Old: a.Verdict(), New: b.Verdict(), Code: b.Code, Rule: b.Rule, Last: stamp(d.Last)}
	switch {
	case !a.Allow && b.Allow:
		row.Change = "gains"
	case a.Allow && !b.Allow:
		row.Change = "loses"
	}
	return row, row.Old != row.New, true, nil
}

// user returns the principal of a user as of today; nil without one.
func (r *replay) user(ctx context.Context, userID string) (*identity.Principal, error) {
	if p, seen := r.users[userID]; seen {
		return p, nil
	}
	id, ours := identity.ParseID(userID)
	if !ours { // of a trusted issuer, whose roles are in its tokens alone
		r.users[userID] = nil
		return nil, nil //nolint:nilnil // no user of ours
	}
	u, err := r.store.UserByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		r.users[userID] = nil
		return nil, nil //nolint:nilnil // gone
	}
	if err != nil {
		return nil, err
	}
	p := principalOf(u.User, r.now, false, false)
	r.users[userID] = p
	return p, nil
}
