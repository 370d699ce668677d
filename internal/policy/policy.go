// Package policy decides whether a principal may send a request. It is pure: a decision depends on its arguments alone
// and carries its reason. Order never matters: a matching deny denies; then every matching require must hold; then one
// matching allow or public allows; otherwise denied, or "sign in" for an anonymous visitor whom some rule could still
// allow.
//
// # Paths
//
// Rules see the canonical path: percent-decoded once, dot segments and empty segments resolved. Servers read some paths
// in other ways, so a request is judged under every such reading (Readings) and the strictest decision holds: no
// reading opens what the canonical one denies (R2, AZ-02), and a path is public only if every reading is. Query and
// fragment never match a rule.
//
// Judged strictly, in any combination and order: percent-decoding again, a backslash as slash, ";parameters" of a
// segment or to the end, what is before an encoded "?" or "#", "//host/path" as an authority, empty and dot segments
// kept or resolved, spaces and dots at the end of a segment dropped (Windows). A deny or require rule also ignores
// letter case and a slash at the end, and "/a/**" covers "/a" itself, since an upstream may; allow and public rules
// compare exactly.
//
// Refused (400 ambiguous_path), since no two servers agree: a raw "#", control bytes and NUL, broken percent-encoding,
// text that is not UTF-8 (overlong forms of "/" and "."), ".." that is hidden (encoded, after a backslash, with a
// parameter) or occurs with anything else that can be read in two ways, more than 32 readings or 6 KiB of them, and a
// path over 4 KiB that is not plain.
//
// Not covered: Windows short names (secret~1) and streams (secret::$DATA). Close such a tree with "/dir/**".
package policy

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Effect is what a matching rule does. The zero Effect is an error.
type Effect uint8

// The effects of CONTRACT section 10.
const (
	EffectAllow Effect = iota + 1
	EffectPublic
	EffectRequire
	EffectDeny
)

// Rule is one rule. An empty field matches everything.
type Rule struct {
	ID     string // names the rule in audit and explanations, such as caddyfile:public#1
	Effect Effect
	Hosts  []string
	// Methods compare exactly; HEAD follows GET (AZ-06).
	Methods []string
	// Paths are a Caddyfile's: exact; "/static/*" for "/static/" and all below; "*" for everything.
	Paths []string
	// Globs are a policy file's: a segment "*" is any one segment, "**" at the end the rest. A rule matches by either.
	Globs []string
	// Roles, Permissions, Users and Clients: any of them. All empty: every signed-in user (deny: anonymous visitors too).
	// A user is a local user's name, or the full "<issuer>|<subject>" of a trusted issuer's: names of theirs are not
	// unique (OIDC Core 5.7). A permission is held through a role that grants it (RoleModel). A client is the client_id of
	// the access token that a request carries.
	Roles       []string
	Permissions []string
	Users       []string
	Clients     []string
	// From limits the rule to requests from these networks. From an address that is not known a deny or require rule
	// matches and an allow or public rule does not.
	From []netip.Prefix
	// When is the condition beyond the fields above; nil: none. One that fails counts as false for allow and public, and
	// as true for deny and require (CONTRACT section 10).
	When Condition
	// Reason is what users read when the rule refuses them, in the operator's words.
	Reason string
	// Report: the rule decides nothing; what it would have changed is reported (mode: report).
	Report bool
	// At is where the rule is written.
	At Position
	// Assurance and Networks are for require rules: how and how recently the person must have proven who they are, and
	// from which addresses the request must come. A rule that names networks alone holds for anonymous visitors too.
	Assurance identity.Assurance
	Networks  []netip.Prefix
	// FromFile: a policy file has rules, so what no rule allows is denied (AZ-01). Without one, and without an allow rule,
	// every signed-in user is allowed. Rules in report mode count for neither.
	FromFile bool
}

// Condition is the compiled `when` of a rule. It does no I/O and its cost is bounded. It is safe for concurrent use.
type Condition interface {
	// Holds judges a request under one reading of its path. A nil principal is the unknown user as whom an anonymous
	// visitor may sign in: what depends on that user is Unknown. Anonymous is the visitor as they are now. It keeps
	// neither pointer.
	Holds(r *Request, path string, p *identity.Principal) Truth
	String() string // as written
}

// Anonymous is the principal of an anonymous visitor in conditions of rules that refuse, and of public ones: no name,
// no roles, not signed in. It is known by its address.
var Anonymous = &identity.Principal{}

// Truth is the outcome of a condition.
type Truth uint8

// The outcomes. For a nil principal a condition on the person may be Unknown: it depends on who signs in.
const (
	False Truth = iota
	True
	Unknown
	Failed // it could not be evaluated: too costly, a missing field, a value of another type
)

// Position is a place in a policy file or Caddyfile. Lines and columns count from 1; 0 is not known.
type Position struct {
	File         string
	Line, Column int
}

func (p Position) String() string {
	switch {
	case p.File == "" || p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Request is what rules see. Path is canonical; Readings are the other ways to read it.
type Request struct {
	Host     string // as FoldHost gives it
	Method   string
	Path     string
	Readings []string
	// Addr is the client's address and Now the time; only sets whose rules Require look at them. An address that is not
	// known is in no network.
	Addr netip.Addr
	Now  time.Time
}

// Resolve describes a request whose path has been read. The host is folded, unless it is known already; "" is not.
func Resolve(r *http.Request, host string, path Path) (Request, error) {
	if host == "" {
		var err error
		if host, err = FoldHost(r.Host); err != nil {
			return Request{}, err
		}
	}
	return RequestOf(r, host, path), nil
}

// RequestOf describes a request whose path and host have been made canonical. A WebSocket over HTTP/2 or 3 is a CONNECT
// that the proxy turns into a GET (RFC 8441), so it is judged as one.
func RequestOf(r *http.Request, host string, c Path) Request {
	method := r.Method
	if method == http.MethodConnect && (r.Proto == "websocket" || isWebSocket(r.Header[":protocol"])) {
		method = http.MethodGet
	}
	return Request{Host: host, Method: method, Path: c.Canonical, Readings: c.Readings}
}

func isWebSocket(protocol []string) bool { return len(protocol) == 1 && protocol[0] == "websocket" }

// Decision is the answer. Without Allow, Code says why.
type Decision struct {
	Allow     bool
	Public    bool // no sign-in needed
	NeedLogin bool // refused, but some rule could allow the visitor once signed in
	Code      identity.Code
	Rule      string // what decided; "" is the default
	Reason    string // the deciding rule's own words for the person; may be empty
	// Report, when not nil, is what rules in report mode would have decided instead.
	Report *Decision
	// Ask, when not zero, is what a user who is signed in and otherwise allowed has to prove first: all that the unmet
	// rules of this request want, so that one confirmation meets them (step-up).
	Ask identity.Assurance
}
