package policy

// What a token may carry of permissions. Headers of 8 KiB are the least that common servers take, and a token has more
// in it; apps of users with more ask /.truxe/api/v1/check instead.
const (
	MaxClaim      = 100      // entries
	MaxClaimBytes = 4 * 1024 // their text together
)

// Claim lists what the roles grant together, sorted, for a token or an assertion. Not ok: it is larger than one may be,
// and is left out whole, since half a list would read as a refusal of the other half.
func (m *RoleModel) Claim(roles []string) (permissions []string, ok bool) {
	all := m.Permissions(roles)
	size := 0
	for _, p := range all {
		size += len(p)
	}
	if len(all) > MaxClaim || size > MaxClaimBytes {
		return nil, false
	}
	return all, true
}
