package people

import (
	"context"
	"fmt"
	"slices"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/nearest"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// RoleInfo is a role as API and command line show it.
type RoleInfo struct {
	Role        string   `json:"role"`
	Description string   `json:"description"`
	Inherits    []string `json:"inherits"`
	Permissions []string `json:"permissions"` // all that it grants, inherited ones included
	Members     int      `json:"members"`
	// Defined is the place in a policy file; "built in" for the administrator's where no file has it; "" for a name that
	// users have and no policy defines. Where no policy defines roles at all, any name is a role.
	Defined string `json:"defined"`
}

// RoleDetail is one role with its members.
type RoleDetail struct {
	RoleInfo
	// Users are the names of its members, the first MaxMembers by name.
	Users []string `json:"users"`
}

// MaxMembers bounds the names in a RoleDetail.
const MaxMembers = 100

// ListRoles returns the roles that policies define and those that users have, by name.
func (d *Directory) ListRoles(ctx context.Context) ([]RoleInfo, error) {
	members, err := d.Changes.Store.CountRoles(ctx)
	if err != nil {
		return nil, store.Unavailable(err)
	}
	m := d.Model()
	byName := map[string]policy.Role{}
	for _, r := range m.Roles() {
		byName[r.Name] = r
	}
	names := append(m.Names(), identity.AdminRole)
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	list := []RoleInfo{}
	for _, name := range slices.Compact(names) {
		r, defined := byName[name]
		info := RoleInfo{Role: name, Description: r.Description, Inherits: append([]string{}, r.Inherits...),
			Permissions: m.Permissions([]string{name}),
			Members:     members[name], Defined: r.At.String()}
		if !defined && name == identity.AdminRole {
			info.Defined = "built in"
		}
		list = append(list, info)
	}
	return list, nil
}

// ShowRole returns one role; CodeNotFound when no policy defines it and no user has it.
func (d *Directory) ShowRole(ctx context.Context, name string) (RoleDetail, error) {
	list, err := d.ListRoles(ctx)
	if err != nil {
		return RoleDetail{}, err
	}
	at := slices.IndexFunc(list, func(r RoleInfo) bool { return r.Role == name })
	if at < 0 {
		var names []string
		for _, r := range list {
			names = append(names, r.Role)
		}
		return RoleDetail{}, identity.NotFound(fmt.Sprintf("there is no role %q%s", name, nearest.Hint(name, names)))
	}
	users, err := d.Changes.Store.NamesWithRole(ctx, name, MaxMembers)
	return RoleDetail{RoleInfo: list[at], Users: append([]string{}, users...)}, store.Unavailable(err)
}
