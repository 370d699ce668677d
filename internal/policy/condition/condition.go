// Package condition compiles the `when` of a rule: a CEL expression over `request` and `user`.
//
//	request.host, .method, .path, .ip    strings; path is the reading of the path that is judged
//	request.time                         timestamp
//	user.id, .name, .email, .acr, .client  strings; name is "<issuer>|<subject>" for users of a trusted issuer
//	user.roles, user.amr                 lists of strings
//	user.signed_in                       bool
//	in_network(request.ip, "office")     in a network of the policy files, or in a CIDR
//
// With them go && || ! == != < <= > >= ?: in + -, startsWith endsWith contains matches size, all exists exists_one, and
// timestamp, duration, getHours(…), getDayOfWeek(…) and their like. There is no way to make a value of unknown type, so
// whatever compiles is of the right types.
//
// What a condition costs is bounded twice: an expression that could cost more than costLimit for the largest request is
// an error when it is compiled, and one that does is Failed. Patterns of matches, networks and time zones are
// constants, resolved when compiled, so judging does no I/O.
package condition

import (
	"net/netip"
	"sync"
	_ "time/tzdata" // zones are the same on every machine

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

const (
	maxText    = 4096   // bytes of an expression
	maxNodes   = 1000   // of its tree, macros expanded
	maxDepth   = 40     // of its nesting
	maxPattern = 200    // bytes of a regular expression
	maxProgram = 150    // its steps when compiled: (a{50}){50} is short and has thousands
	costLimit  = 20_000 // CEL's units, up to some hundred nanoseconds each
	maxPath    = 4096   // bytes; a longer path is Failed
	maxList    = 256    // roles or methods of a person; more is Failed
	maxValue   = 1024   // bytes of any other text of a request; more is Failed
)

// Compile checks an expression. Errors are *policy.Problem, whose position counts within the text: line and column from
// 1, columns in characters, no file.
func Compile(text string, networks map[string][]netip.Prefix) (_ policy.Condition, err error) {
	defer func() {
		if what := recover(); what != nil { // the parser is not ours: what it cannot stand is no condition
			err = problem(policy.Position{Line: 1, Column: 1}, "condition: it cannot be compiled (%v)", what)
		}
	}()
	c, err := check(text, networks)
	if err != nil {
		return nil, err
	}
	program, err := c.env.Program(c.ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(costLimit))
	if err != nil {
		return nil, &policy.Problem{At: policy.Position{Line: 1, Column: 1}, Message: "condition: " + err.Error()}
	}
	return &condition{text: text, program: program}, nil
}

type condition struct {
	text    string
	program cel.Program
}

func (c *condition) String() string { return c.text }

// Holds implements policy.Condition.
func (c *condition) Holds(r *policy.Request, path string, p *identity.Principal) policy.Truth {
	if !bounded(r, path, p) {
		return policy.Failed
	}
	a := activations.Get().(*activation)
	a.request, a.path, a.person = r, path, p
	out, _, err := c.program.Eval(a)
	*a = activation{}
	activations.Put(a)
	switch {
	case err != nil:
		return policy.Failed
	case types.IsUnknown(out):
		return policy.Unknown
	case out == types.True:
		return policy.True
	case out == types.False:
		return policy.False
	}
	return policy.Failed
}

func bounded(r *policy.Request, path string, p *identity.Principal) bool {
	if len(path) > maxPath || len(r.Host) > maxValue || len(r.Method) > maxValue {
		return false
	}
	return p == nil || len(p.Roles) <= maxList && len(p.AMR) <= maxList &&
		max(len(p.UserID), len(p.Username), len(p.Email), len(p.ClientID), len(p.ACR)) <= maxValue
}

var activations = sync.Pool{New: func() any { return new(activation) }}

// activation resolves the variables of an expression.
type activation struct {
	request *policy.Request
	path    string
	person  *identity.Principal
}

// Parent implements cel.Activation.
func (*activation) Parent() cel.Activation { return nil }

var (
	unknownPerson  = types.NewUnknown(1, nil)
	unknownAddress = types.NewErr("the client's address is not known")
	unknownTime    = types.NewErr("the time is not known")
)

// ResolveName implements cel.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case "request.host":
		return types.String(a.request.Host), true
	case "request.method":
		return types.String(a.request.Method), true
	case "request.path":
		return types.String(a.path), true
	case "request.ip":
		if !a.request.Addr.IsValid() {
			return unknownAddress, true
		}
		return types.String(a.request.Addr.Unmap().WithZone("").String()), true
	case "request.time":
		if a.request.Now.IsZero() {
			return unknownTime, true
		}
		return types.Timestamp{Time: a.request.Now.UTC()}, true
	case "user.signed_in":
		return types.Bool(a.person != policy.Anonymous), true
	}
	p := a.person
	if p == nil {
		if _, ok := fields["user"][name]; ok {
			return unknownPerson, true
		}
		return nil, false
	}
	switch name {
	case "user.id":
		return types.String(p.UserID), true
	case "user.name":
		return types.String(policy.LocalName(p)), true
	case "user.email":
		return types.String(p.Email), true
	case "user.acr":
		return types.String(p.ACR), true
	case "user.client":
		return types.String(p.ClientID), true
	case "user.roles":
		return p.Roles, true
	case "user.amr":
		return p.AMR, true
	}
	return nil, false
}
