package gateway

import (
	"sync"
	"sync/atomic"

	"github.com/truxeio/caddy-truxe/internal/policy"
)

// roleModel is the roles that policies define at this moment, and how often that has changed: what was made under another
// number, such as a signed assertion, is made anew. The zero value is a gateway whose policies define none.
type roleModel struct {
	now     atomic.Pointer[numbered]
	setting sync.Mutex
}

type numbered struct {
	model  *policy.RoleModel
	number uint64
}

// get gives model and number as they belong together.
func (r *roleModel) get() (*policy.RoleModel, uint64) {
	if n := r.now.Load(); n != nil {
		return n.model, n.number
	}
	return nil, 0
}

func (r *roleModel) set(m *policy.RoleModel) {
	r.setting.Lock()
	defer r.setting.Unlock()
	_, number := r.get()
	r.now.Store(&numbered{m, number + 1})
}

func (r *roleModel) model() *policy.RoleModel { m, _ := r.get(); return m }

func (r *roleModel) number() uint64 { _, n := r.get(); return n }

// claim is what tokens and assertions carry of the permissions of roles.
func (r *roleModel) claim(roles []string) ([]string, bool) { return r.model().Claim(roles) }

// Roles is the role model in force; nil: policies define no roles.
func (g *Gateway) Roles() *policy.RoleModel { return g.roles.model() }

// setRoles puts another role model in force, at once and for every request from now on. Nobody's roles change by it: a role
// that it no longer defines grants nothing.
func (g *Gateway) setRoles(m *policy.RoleModel) { g.roles.set(m) }
