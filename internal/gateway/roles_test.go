package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/authn"
	"github.com/truxeio/caddy-truxe/internal/console"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/people"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

func model(t testing.TB, roles ...policy.Role) *policy.RoleModel {
	t.Helper()
	m, err := policy.CompileRoles(roles)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// roleFiles are policy files that say of roles alone.
type roleFiles struct{ model *policy.RoleModel }

func (roleFiles) RulesFor([]string) ([]policy.Rule, error) { return nil, nil }
func (f roleFiles) RoleModel() *policy.RoleModel           { return f.model }
func (roleFiles) Version() string                          { return "" }

// setRoles puts a role model in force; nil: policy files define no roles.
func setRoles(t testing.TB, g *Gateway, m *policy.RoleModel) {
	t.Helper()
	if err := g.cfg.Rules.Replace(roleFiles{m}); err != nil {
		t.Fatal(err)
	}
}

// AZ-08: a token that was signed before a change of roles shows its user as of now: in what the app is
// told, in what the gate decides, in userinfo and in the assertion.
func TestTokenHasTheRolesOfTheDatabase(t *testing.T) {
	p := promote(t)
	_, bearer := signIn(t, p.Gateway)
	up, site := &upstream{}, withAssertion(t)
	seen := func() (groups string, asserted any) {
		t.Helper()
		if w := serve(t, p.Gateway, site, newRequest("Authorization", bearer), up); w.Code != http.StatusOK {
			t.Fatal(w.Code)
		}
		claims := verifyAssertion(t, p.Gateway, up.header.Get("X-Truxe-Jwt-Assertion"), time.Now())
		return up.header.Get("Remote-Groups"), claims["roles"]
	}
	if groups, asserted := seen(); groups != "admin" || fmt.Sprint(asserted) != "[admin]" {
		t.Fatalf("control: %s %v", groups, asserted)
	}
	p.roles(identity.AdminRole, "auditor")
	if groups, asserted := seen(); groups != "admin,auditor" || fmt.Sprint(asserted) != "[admin auditor]" {
		t.Errorf("granted: %s %v", groups, asserted)
	}
	p.roles(identity.AdminRole)
	if groups, asserted := seen(); groups != "admin" || fmt.Sprint(asserted) != "[admin]" {
		t.Errorf("revoked: %s %v", groups, asserted)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if _, cached, err := p.gate.Verifier.Tokens.Find(t.Context(), strings.TrimPrefix(bearer, "Bearer ")); err != nil ||
			!cached {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a warm token costs %v allocations", n)
	}
}

// What roles grant is read anew with the policies: in userinfo at once, and a cached assertion is not sent again.
func TestRoleModelCountsForTheNextRequest(t *testing.T) {
	g := start(t)
	cookie, _ := signIn(t, g)
	up, site := &upstream{}, withAssertion(t)
	seen := func() string {
		t.Helper()
		serve(t, g, site, newRequest("Cookie", cookie), up)
		claims := verifyAssertion(t, g, up.header.Get("X-Truxe-Jwt-Assertion"), time.Now())
		r := newRequest("Cookie", cookie)
		r.URL.Path = "/.truxe/api/v1/userinfo"
		w := httptest.NewRecorder()
		g.portal.Serve(w, r, authn.Client{Addr: "127.0.0.1"}, false)
		var info struct {
			Permissions []string `json:"permissions"`
			Omitted     bool     `json:"permissions_omitted"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &info); err != nil {
			t.Fatal(err, w.Body)
		}
		if a, b := fmt.Sprint(claims["permissions"], claims["permissions_omitted"] == true), fmt.Sprint(info.Permissions,
			info.Omitted); a != b && !info.Omitted {
			t.Errorf("the assertion says %s, userinfo %s", a, b)
		}
		return fmt.Sprint(info.Permissions, info.Omitted)
	}
	if got := seen(); got != "[*] false" {
		t.Errorf("no policy: %s", got)
	}
	setRoles(t, g, model(t, policy.Role{Name: identity.AdminRole, Permissions: []string{"orders:read"}}))
	if got := seen(); got != "[* orders:read] false" {
		t.Errorf("with a policy: %s", got)
	}
	first := up.header.Get("X-Truxe-Jwt-Assertion")
	if seen(); up.header.Get("X-Truxe-Jwt-Assertion") != first {
		t.Error("signed anew although nothing changed")
	}
	big := policy.Role{Name: identity.AdminRole}
	for i := range policy.MaxClaim {
		big.Permissions = append(big.Permissions, fmt.Sprintf("r%d:read", i))
	}
	setRoles(t, g, model(t, big))
	if got := seen(); got != "[] true" {
		t.Errorf("more than a token carries: %s", got)
	}
	setRoles(t, g, nil)
	if got := seen(); got != "[*] false" || g.cfg.Rules.RoleModel() != nil {
		t.Errorf("policies gone: %s", got)
	}
}

// CONTRACT section 10: a users_file with a role that the policies do not define is found by `caddy validate`.
func TestUsersFileWithAnUnknownRoleIsAConfigurationError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(file, []byte("users:\n  - username: ada\n    roles: [edtor]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Config{DataDir: t.TempDir(), UsersFile: file}
	if err := Check(c); err != nil {
		t.Errorf("without defined roles any name is one: %v", err)
	}
	c.Policies = t.TempDir()
	if err := os.WriteFile(filepath.Join(c.Policies, "roles.yaml"),
		[]byte("roles:\n  editor: { permissions: [\"orders:write\"] }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.Rules, err = rules.Open(c.Policies); err != nil {
		t.Fatal(err)
	}
	if err := Check(c); err == nil || !strings.Contains(err.Error(), `did you mean "editor"?`) {
		t.Error(err)
	}
}

// call sends one request to the API with a credential.
func call(t testing.TB, g *Gateway, method, path, credential string) (int, string) {
	t.Helper()
	name := "Cookie"
	if strings.HasPrefix(credential, "Bearer ") {
		name = "Authorization"
	}
	r := newRequest(name, credential)
	script(r)
	r.Method, r.URL.Path, r.Header["Origin"] = method, "/.truxe/api/v1/"+path, []string{"https://app.test"}
	w := httptest.NewRecorder()
	g.portal.Serve(w, r, authn.Client{Addr: "127.0.0.1"}, false)
	return w.Code, w.Body.String()
}

// SE-14 MF-13: roles are given with a factor proven in the last five minutes, by cookie and by token.
func TestRolesAreGivenWithAFreshFactor(t *testing.T) {
	p := promote(t)
	cookie, bearer := signIn(t, p.Gateway)
	path := "admin/users/" + p.user.String() + "/roles/auditor"
	for _, credential := range []string{cookie, bearer} {
		if code, body := call(t, p.Gateway, http.MethodPut, path, credential); code != http.StatusOK {
			t.Fatalf("control: %d %s", code, body)
		}
	}
	p.mu.Lock()
	p.ahead = 6 * time.Minute
	p.mu.Unlock()
	for _, credential := range []string{cookie, bearer} {
		for _, method := range []string{http.MethodPut, http.MethodDelete} {
			if code, body := call(t, p.Gateway, method, path, credential); code != http.StatusUnauthorized ||
				!strings.Contains(body, `"step_up_required"`) {
				t.Errorf("%s after six minutes: %d %s", method, code, body)
			}
		}
		if code, _ := call(t, p.Gateway, http.MethodGet, "admin/roles", credential); code != http.StatusOK {
			t.Errorf("reading: %d", code)
		}
	}
}

// F16: a user who may hand out roles gains nothing by it: neither by becoming an administrator, nor by unmaking one.
func TestUserHandsOutNoMoreThanTheirOwnRoles(t *testing.T) {
	p := promote(t)
	setRoles(t, p.Gateway, model(t, policy.Role{Name: "keeper", Permissions: []string{"truxe:roles:*", "orders:read"}},
		policy.Role{Name: "reader", Permissions: []string{"orders:read"}},
		policy.Role{Name: "writer", Permissions: []string{"orders:write"}},
		policy.Role{Name: "chief", Inherits: []string{"writer"}}, policy.Role{Name: "label"}))
	p.roles(identity.AdminRole, "keeper")
	other, err := p.people.CreateUser(t.Context(), console.CommandLine,
		people.NewUser{Username: "other", Roles: []string{identity.AdminRole}})
	if err != nil {
		t.Fatal(err)
	}
	cookie, bearer := signIn(t, p.Gateway)
	p.roles("keeper")
	for _, credential := range []string{cookie, bearer} {
		for role, want := range map[string]int{"reader": 200, "label": 200, "keeper": 200, "writer": 403, "chief": 403,
			"admin": 403} {
			for _, method := range []string{http.MethodPut, http.MethodDelete} {
				for _, id := range []identity.ID{p.user, other.ID} {
					if role == "keeper" && id == p.user {
						continue // what he would lose himself
					}
					if code, body := call(t, p.Gateway, method, "admin/users/"+id.String()+"/roles/"+role, credential); code != want {
						t.Errorf("%s %s: %d %s", method, role, code, body)
					}
				}
			}
		}
		if code, body := call(t, p.Gateway, http.MethodPut, "admin/users/"+other.ID.String()+"/roles/raeder",
			credential); code != http.StatusBadRequest || !strings.Contains(body, `did you mean`) {
			t.Errorf("an unknown role: %d %s", code, body)
		}
	}
}
