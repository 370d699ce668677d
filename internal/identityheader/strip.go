package identityheader

import "net/http"

// Owned are the header names that only the gateway may set: those of every site, preset, forward_auth and `header` line
// of one configuration. An app may be reached through several directives, and each of them sees requests that another
// one names headers for, so all names are removed from every request (HD-01). It is filled while the configuration is
// compiled, and only read afterwards.
type Owned struct {
	folded map[string]bool
	first  [256]bool // first bytes of the names in any spelling: a cheap test before the map
	minLen int
	maxLen int
}

// NewOwned returns the names that are always the gateway's (CONTRACT section 4).
func NewOwned() *Owned {
	o := &Owned{folded: map[string]bool{}, minLen: longestName}
	for _, name := range []string{User, Name, Email, Groups, UserID, Session, AMR, Assertion} {
		o.add(name)
	}
	return o
}

func (o *Owned) add(name string) {
	folded := fold(name)
	o.folded[folded] = true
	for c := range foldTable {
		o.first[c] = o.first[c] || foldTable[c] == folded[0]
	}
	o.minLen, o.maxLen = min(o.minLen, len(folded)), max(o.maxLen, len(folded))
}

// Has reports whether a header name is one of these in any spelling. Names that begin with X-Truxe- always are.
func (o *Owned) Has(name string) bool {
	if len(name) < len(ownPrefix) && len(name) < o.minLen || !o.first[name[0]] {
		return false
	}
	var buf [longestName]byte
	n := min(len(name), longestName)
	for i := range n {
		buf[i] = foldTable[name[i]]
	}
	if n >= len(ownPrefix) && string(buf[:len(ownPrefix)]) == ownPrefix {
		return true
	}
	return n == len(name) && n >= o.minLen && n <= o.maxLen && o.folded[string(buf[:n])]
}

// Clean removes every claim of an identity that a client could have sent: the names themselves in any spelling, and
// what would remove or add them later, in Connection and in trailers (HD-01, HD-02).
func (o *Owned) Clean(r *http.Request) {
	o.Strip(r.Header)
	SanitizeConnection(r.Header)
	o.GuardTrailers(r)
}

// Strip removes what a client may not send. It allocates nothing.
func (o *Owned) Strip(h http.Header) {
	for name := range h {
		if name != "" && o.first[name[0]] && o.Has(name) {
			delete(h, name)
		}
	}
}
