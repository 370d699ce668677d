package policy

import (
	"fmt"
	"strings"
	"testing"
)

// JW-15: what a token carries of permissions is bounded in number and in bytes; at the bound it is whole, above it is
// left out.
func TestClaimOfPermissionsIsWholeOrLeftOut(t *testing.T) {
	model := func(n, length int) *RoleModel {
		r := Role{Name: "many"}
		for i := range n {
			r.Permissions = append(r.Permissions, fmt.Sprintf("r%03d:%s", i, strings.Repeat("a", length-5)))
		}
		m, err := CompileRoles([]Role{r})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct {
		n, length int
		ok        bool
	}{{0, 10, true}, {1, 10, true}, {MaxClaim, 10, true}, {MaxClaim + 1, 10, false}, {32, 128, true}, {33, 128, false}} {
		got, ok := model(c.n, c.length).Claim([]string{"many"})
		if ok != c.ok || ok && len(got) != c.n || !ok && got != nil {
			t.Errorf("%d of %d bytes: %d, %v", c.n, c.length, len(got), ok)
		}
	}
	if got, ok := (*RoleModel)(nil).Claim([]string{"admin", "x"}); !ok || len(got) != 1 || got[0] != "*" {
		t.Errorf("without a model: %v %v", got, ok)
	}
	if got, ok := (*RoleModel)(nil).Claim(nil); !ok || got == nil || len(got) != 0 {
		t.Errorf("an anonymous visitor's permissions are an empty list: %v %v", got, ok)
	}
}
