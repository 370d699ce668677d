package gate

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// files are policy files without files.
type files struct {
	version string
	rules   []policy.Rule
	roles   *policy.RoleModel
}

func (f files) RulesFor(names []string) ([]policy.Rule, error) {
	for _, n := range names {
		if n != "orders" {
			return nil, errors.New("there is no policy " + n)
		}
	}
	return f.rules, nil
}
func (f files) RoleModel() *policy.RoleModel { return f.roles }
func (f files) Version() string              { return f.version }

func ruled(t *testing.T, c SiteConfig, r *Rules) *Site {
	t.Helper()
	s, err := CompileSite(c, r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(path string) policy.Request {
	return policy.Request{Host: "app.test", Method: "GET", Path: path, Now: time.Now()}
}

// AZ-10: while the files are replaced all the time, every request is judged wholly by the old or the new rules. The first
// set allows and denies, the second does neither: only a mixture of both would let anybody in.
func TestNoRequestIsJudgedByAMixtureOfRules(t *testing.T) {
	all := []string{"/**"}
	a := files{version: "a", rules: []policy.Rule{
		{ID: "allow", Effect: policy.EffectAllow, Globs: all, FromFile: true}, {ID: "deny", Effect: policy.EffectDeny, Globs: all, FromFile: true}}}
	b := files{version: "b", rules: []policy.Rule{{ID: "other", Effect: policy.EffectAllow, Globs: []string{"/elsewhere"}, FromFile: true}}}
	r := NewRules(a)
	s := ruled(t, SiteConfig{}, r)
	p := &identity.Principal{Username: "ada"}
	// Each reader goes on until it has seen the other set come into force so many times. The rules are replaced until then.
	const readers, enough = 2, 20
	var group sync.WaitGroup
	var reading atomic.Int64
	reading.Store(readers)
	for range readers {
		group.Go(func() {
			defer reading.Add(-1)
			last := identity.Code("")
			for changes := 0; changes < enough && !t.Failed(); {
				d := s.set().Decide(at("/x"), p)
				if d.Allow || d.Code != identity.CodeRuleDenied && d.Code != identity.CodeNoRule {
					t.Errorf("judged by a mixture: allowed %v, code %q", d.Allow, d.Code)
					return
				}
				if d.Code != last {
					changes, last = changes+1, d.Code
				}
			}
		})
	}
	for next, after := b, a; reading.Load() > 0; next, after = after, next {
		if err := r.Replace(next); err != nil {
			t.Error(err)
			break
		}
	}
	group.Wait()
}

// AZ-01: files that do not fit one site change nothing at any site.
func TestFilesThatDoNotFitChangeNothing(t *testing.T) {
	model, err := policy.CompileRoles([]policy.Role{{Name: "editor", Permissions: []string{"orders:write"}}})
	if err != nil {
		t.Fatal(err)
	}
	r := NewRules(nil)
	open, staff := ruled(t, SiteConfig{}, r), ruled(t, SiteConfig{AllowRoles: []string{"staff"}}, r)
	if err := r.Replace(files{version: "x", roles: model}); err == nil || !strings.Contains(err.Error(), "staff") {
		t.Errorf("a role that the files do not define: %v", err)
	}
	p := &identity.Principal{Username: "ada", Roles: []string{"staff"}}
	if !open.set().Decide(at("/"), p).Allow || !staff.set().Decide(at("/"), p).Allow || r.Version() != "" || r.RoleModel() != nil {
		t.Error("something changed")
	}
	if _, err := CompileSite(SiteConfig{Policies: []string{"orders"}}, r); err == nil || !strings.Contains(err.Error(), "policies <directory>") {
		t.Errorf("`policy` without files: %v", err)
	}
	r = NewRules(files{rules: []policy.Rule{{ID: "o", Effect: policy.EffectAllow, FromFile: true}}, roles: model})
	if _, err := CompileSite(SiteConfig{Policies: []string{"order"}}, r); err == nil {
		t.Error("an unknown file was accepted")
	}
	if _, err := CompileSite(SiteConfig{AllowRoles: []string{"edtor"}}, r); err == nil || !strings.Contains(err.Error(), `did you mean "editor"`) {
		t.Errorf("an unknown role: %v", err)
	}
	if _, err := CompileSite(SiteConfig{AllowPermissions: []string{"write"}}, r); err == nil {
		t.Error("half a permission was accepted")
	}
}

// `mode report` lets pass what rules refuse to somebody signed in, and nothing else.
func TestReportModeNeverLetsStrangersIn(t *testing.T) {
	s := ruled(t, SiteConfig{Report: true}, NewRules(nil))
	ada := &identity.Principal{Username: "ada"}
	for _, code := range []identity.Code{identity.CodeRoleRequired, identity.CodePermissionRequired, identity.CodeNoRule, identity.CodeRuleDenied,
		identity.CodeNetworkDenied, identity.CodeMFARequired, identity.CodePasskeyRequired, identity.CodeReauthRequired} {
		d := policy.Decision{Code: code, Rule: "r"}
		if got := s.applyReportMode(d, ada); !got.Allow || got.Public || got.Report == nil || got.Report.Code != code {
			t.Errorf("%s: %+v", code, got)
		}
		if got := s.applyReportMode(d, nil); got.Allow || !got.NeedLogin || got.Code != identity.CodeLoginRequired || got.Report.Code != code {
			t.Errorf("%s, nobody: %+v", code, got)
		}
	}
	for _, code := range []identity.Code{identity.CodeStateUnavailable, identity.CodeAmbiguousPath, identity.CodeLoginRequired, identity.CodeHTTPSRequired, identity.CodeSessionRevoked} {
		if got := s.applyReportMode(policy.Decision{Code: code}, ada); got.Allow {
			t.Errorf("%s is let pass", code)
		}
	}
	if got := ruled(t, SiteConfig{}, NewRules(nil)).applyReportMode(policy.Decision{Code: identity.CodeNoRule}, ada); got.Allow {
		t.Error("without report mode")
	}
}

// What is remembered of refusals is bounded, whoever fills it and with whatever paths.
func TestRememberedRefusalsAreBounded(t *testing.T) {
	var k Refusals
	for range keptRefusals + 10 {
		k.keep(Refusal{Reference: identity.NewReference(), Path: strings.Repeat("x", 5000), Judgement: Judgement{asked: at("/" + strings.Repeat("x", 5000))}})
	}
	// A short path may have long readings, and a request line a long method.
	for range keptRefusals {
		q := at("/x")
		for range 32 {
			q.Readings = append(q.Readings, strings.Repeat("%2541", 1000))
		}
		k.keep(Refusal{Reference: identity.NewReference(), Path: "/x", Host: strings.Repeat("h", 5000), Method: strings.Repeat("M", 5000), Judgement: Judgement{set: &policy.Set{}, asked: q}})
	}
	size := 0
	for i := range k.ring {
		r := &k.ring[i]
		size += len(r.Path) + len(r.Host) + len(r.Method) + len(r.asked.Path) + len(strings.Join(r.asked.Readings, ""))
	}
	if size > keptRefusals*(3*keptPath+keptText) {
		t.Errorf("%d bytes are kept", size)
	}
	last := Refusal{Reference: "R-LAST-LAST", Path: "/x", Judgement: Judgement{set: &policy.Set{}, asked: at("/x")}}
	k.keep(last)
	if len(k.ring) != keptRefusals {
		t.Errorf("%d are kept", len(k.ring))
	}
	for i := range k.ring {
		if len(k.ring[i].Path) > keptPath || len(k.ring[i].asked.Path) > keptPath {
			t.Fatal("a long path is kept")
		}
	}
	if got, ok := k.Find("R-LAST-LAST"); !ok || got.Path != "/x" {
		t.Error("the last one is not found")
	}
	if _, ok := k.Find("R-NONE-NONE"); ok {
		t.Error("found what is not there")
	}
}

// The same decision is recorded once an hour, another outcome at once, and what does not fit into the queue is dropped.
func TestDecisionsAreRecordedOnceAnHour(t *testing.T) {
	k := NewRecords()
	s := ruled(t, SiteConfig{}, NewRules(nil))
	p, r := &identity.Principal{UserID: "u", ACR: "1"}, at("/x")
	steps := []struct {
		allowed bool
		hour    int64
		want    bool
	}{{true, 0, true}, {true, 0, false}, {false, 0, true}, {false, 0, false}, {false, 1, true}}
	for i, step := range steps {
		if got := k.take(s, &r, p, step.allowed, step.hour); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { k.take(s, &r, p, false, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	g := &Gate{Memory: Memory{Records: k}, Now: time.Now}
	for i := range recordQueue + 100 {
		q := at("/" + strings.Repeat("y", i%recordPath/2) + "/" + identity.NewReference())
		g.record(&request{Request: &http.Request{RemoteAddr: "192.0.2.1:1"}, site: s, Judgement: Judgement{principal: p, set: s.set(), asked: q, Decision: policy.Decision{Allow: true}}})
	}
	if n := len(k.queue); n != recordQueue {
		t.Errorf("%d wait", n)
	}
}

// ED-12 a reload sets the same sites up again, servers in any order, and copies of sites for questions among them: a site keeps
// the name under which its requests are counted, and sites that are alike keep theirs apart.
func TestSitesKeepTheirLimits(t *testing.T) {
	limited := SiteConfig{RateLimit: &RateLimit{Events: 3, Window: time.Hour}}
	names := func(copies int, listeners ...string) map[string][]string {
		r, all := NewRules(nil), map[string][]string{}
		for range copies {
			ruled(t, limited, r)
		}
		for _, listener := range listeners {
			for range 2 {
				s := ruled(t, limited, r)
				s.CountRequests(listener)
				all[listener] = append(all[listener], s.limit)
			}
		}
		return all
	}
	first := names(0, ":443", ":8443")
	for _, again := range []map[string][]string{names(2, ":443", ":8443"), names(5, ":8443", ":443")} {
		if !reflect.DeepEqual(first, again) {
			t.Errorf("%q became %q", first, again)
		}
	}
	seen := map[string]bool{}
	for _, list := range first {
		for _, name := range list {
			if name == "" || seen[name] {
				t.Errorf("%q is of two sites", name)
			}
			seen[name] = true
		}
	}
	if s := ruled(t, SiteConfig{}, NewRules(nil)); s.limit != "" {
		t.Errorf("control: a site without a limit counts as %q", s.limit)
	}
}

// ED-10 a report that is not new allocates nothing: a page in report mode makes many.
func TestReportThatIsNotNewAllocatesNothing(t *testing.T) {
	var k reports
	now, r := time.Now(), reported{who: "u1", host: "app.test", method: "GET", path: "/" + strings.Repeat("x", 5000), rule: "r"}
	if !k.isNew(r, now) || k.isNew(r, now) || !k.isNew(r, now.Add(2*reportQuiet)) {
		t.Error("not once a minute")
	}
	if n := testing.AllocsPerRun(100, func() { k.isNew(r, now.Add(2*reportQuiet)) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	for kept := range k.seen {
		if len(kept.path) > keptPath {
			t.Errorf("%d bytes of a path are kept", len(kept.path))
		}
	}
}
