package portal

import (
	"strings"
	"testing"
)

// Nothing of the administration is open to a user without a permission: each of its routes names one.
func TestAdministrationNeedsAPermission(t *testing.T) {
	found := 0
	for _, r := range Routes() {
		admin := strings.HasPrefix(r.Path, "admin/") || strings.Contains(r.Path, "/admin/")
		if admin {
			found++
		}
		if admin && r.Needs == "" || r.Needs != "" && !r.Signed || r.Needs != "" && r.Open {
			t.Errorf("%s: %+v", r.Path, r)
		}
	}
	if found < 6 {
		t.Errorf("%d routes of the administration", found)
	}
}
