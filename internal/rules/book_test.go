package rules

import (
	"errors"
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

func ruled(t *testing.T, l Lines, b *Book) *Site {
	t.Helper()
	s, err := b.Add(l)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(path string) policy.Request {
	return policy.Request{Host: "app.test", Method: "GET", Path: path, Now: time.Now()}
}

// AZ-10: while the files are replaced all the time, every request is judged wholly by the old or the new rules. The
// first set allows and denies, the second does neither: only a mixture of both would let a request pass.
func TestNoRequestIsJudgedByAMixtureOfRules(t *testing.T) {
	all := []string{"/**"}
	a := files{version: "a", rules: []policy.Rule{
		{ID: "allow", Effect: policy.EffectAllow, Globs: all, FromFile: true},
		{ID: "deny", Effect: policy.EffectDeny, Globs: all, FromFile: true}}}
	b := files{version: "b", rules: []policy.Rule{{ID: "other", Effect: policy.EffectAllow, Globs: []string{"/elsewhere"},
		FromFile: true}}}
	book := NewBook(a)
	s := ruled(t, Lines{}, book)
	p := &identity.Principal{Username: "ada"}
	// Each reader goes on until it has seen the other set come into force so many times. The rules are replaced until
	// then.
	const readers, enough = 2, 20
	var group sync.WaitGroup
	var reading atomic.Int64
	reading.Store(readers)
	for range readers {
		group.Go(func() {
			defer reading.Add(-1)
			last := identity.Code("")
			for changes := 0; changes < enough && !t.Failed(); {
				d := s.Set().Decide(at("/x"), p)
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
		if err := book.Replace(next); err != nil {
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
	book := NewBook(nil)
	open, staff := ruled(t, Lines{}, book), ruled(t, Lines{AllowRoles: []string{"staff"}}, book)
	if err := book.Replace(files{version: "x", roles: model}); err == nil || !strings.Contains(err.Error(), "staff") {
		t.Errorf("a role that the files do not define: %v", err)
	}
	p := &identity.Principal{Username: "ada", Roles: []string{"staff"}}
	if !open.Set().Decide(at("/"), p).Allow || !staff.Set().Decide(at("/"), p).Allow || book.Version() != "" ||
		book.RoleModel() != nil {
		t.Error("something changed")
	}
	if _, err := book.Add(Lines{Files: []string{"orders"}}); err == nil ||
		!strings.Contains(err.Error(), "policies <directory>") {
		t.Errorf("`policy` without files: %v", err)
	}
	book = NewBook(files{rules: []policy.Rule{{ID: "o", Effect: policy.EffectAllow, FromFile: true}}, roles: model})
	if _, err := book.Add(Lines{Files: []string{"order"}}); err == nil {
		t.Error("an unknown file was accepted")
	}
	if _, err := book.Add(Lines{AllowRoles: []string{"edtor"}}); err == nil ||
		!strings.Contains(err.Error(), `did you mean "editor"`) {
		t.Errorf("an unknown role: %v", err)
	}
	if _, err := book.Add(Lines{AllowPermissions: []string{"write"}}); err == nil {
		t.Error("half a permission was accepted")
	}
}
