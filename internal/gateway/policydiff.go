package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/policy/policyfile"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// DiffRow is a request that somebody has made and that other policies would decide otherwise.
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

// maxDiff bounds the rows of an answer.
const maxDiff = 10_000

// adminPolicyDiff replays what was recorded with two sets of policy files at the sites of this configuration. People are
// judged by the roles they have today and by the factors they had proven then.
func adminPolicyDiff(ctx context.Context, g *Gateway, raw json.RawMessage) (any, error) {
	var in struct {
		Old   []policyfile.Source `json:"old"`
		New   []policyfile.Source `json:"new"`
		Since string              `json:"since"`
	}
	if err := read(raw, &in); err != nil {
		return nil, err
	}
	since, err := windowOf(in.Since, g.now())
	if err != nil {
		return nil, err
	}
	before, err := g.rulesWith(in.Old)
	if err != nil {
		return nil, err
	}
	after, err := g.rulesWith(in.New)
	if err != nil {
		return nil, err
	}
	replay := replay{g: g, before: before, after: after, people: map[string]*identity.Principal{}}
	var recorded []store.Decision
	if err := g.engine.store.Decisions(ctx, since, func(d store.Decision) error { recorded = append(recorded, d); return nil }); err != nil {
		return nil, err
	}
	out := struct {
		Items    []DiffRow `json:"items"`
		Replayed int       `json:"replayed"`
		Omitted  int       `json:"omitted"`
		Gone     int       `json:"gone"` // of people or hosts that are no more
	}{Items: []DiffRow{}}
	for _, d := range recorded {
		row, changed, known, err := replay.one(ctx, d)
		switch {
		case err != nil:
			return nil, err
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

func (g *Gateway) rulesWith(sources []policyfile.Source) (*rules.Book, error) {
	book, err := g.cfg.Rules.WithSources(sources)
	if err != nil {
		return nil, &identity.Error{Code: identity.CodeInvalidRequest, Detail: err.Error()}
	}
	return book, nil
}

type replay struct {
	g             *Gateway
	before, after *rules.Book
	people        map[string]*identity.Principal // nil: gone
}

func (r *replay) one(ctx context.Context, d store.Decision) (row DiffRow, changed, known bool, err error) {
	p, err := r.person(ctx, d.UserID)
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
	row = DiffRow{Change: "changes", User: policy.LocalName(&who), Method: d.Method, Host: d.Host, Path: d.Path, Old: a.Verdict(), New: b.Verdict(), Code: b.Code, Rule: b.Rule, Last: stamp(d.Last)}
	switch {
	case !a.Allow && b.Allow:
		row.Change = "gains"
	case a.Allow && !b.Allow:
		row.Change = "loses"
	}
	return row, row.Old != row.New, true, nil
}

func (r *replay) person(ctx context.Context, userID string) (*identity.Principal, error) {
	if p, seen := r.people[userID]; seen {
		return p, nil
	}
	id, ours := identity.ParseID(userID)
	if !ours { // of a trusted issuer, whose roles are in its tokens alone
		r.people[userID] = nil
		return nil, nil //nolint:nilnil // nobody of ours
	}
	u, err := r.g.engine.store.UserByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		r.people[userID] = nil
		return nil, nil //nolint:nilnil // gone
	}
	if err != nil {
		return nil, err
	}
	p := principalOf(u.User, r.g.now(), false, false)
	r.people[userID] = p
	return p, nil
}
