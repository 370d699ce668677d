package condition

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// fields are the variables, by their full name.
var fields = map[string]map[string]*cel.Type{
	"request": {
		"request.host": cel.StringType, "request.method": cel.StringType, "request.path": cel.StringType,
		"request.ip": cel.StringType, "request.time": cel.TimestampType,
	},
	"user": {
		"user.id": cel.StringType, "user.name": cel.StringType, "user.email": cel.StringType, "user.acr": cel.StringType,
		"user.client": cel.StringType,
		"user.roles":  cel.ListType(cel.StringType), "user.amr": cel.ListType(cel.StringType), "user.signed_in": cel.BoolType,
	},
}

const inNetwork = "in_network"

// functions are all that an expression may call. Those of time are added with zones that are resolved beforehand.
var functions = []string{
	operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional, operators.NotStrictlyFalse,
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater,
	operators.GreaterEquals,
	operators.In, operators.Add, operators.Subtract, operators.Negate,
	"startsWith", "endsWith", "contains", "matches", "size", "timestamp", "duration",
}

// base is what every expression is compiled in; the networks are added to it.
var base = sync.OnceValues(func() (*cel.Env, error) {
	subset := env.NewLibrarySubset().AddIncludedMacros(operators.All, operators.Exists, operators.ExistsOne)
	for _, name := range functions {
		subset.AddIncludedFunctions(env.NewFunction(name))
	}
	for name, f := range clock {
		var own []*env.Overload
		for _, id := range f.overloads {
			own = append(own, env.NewOverload(id, nil, nil))
		}
		subset.AddIncludedFunctions(env.NewFunction(name, own...))
	}
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(subset)),
		cel.ParserRecursionLimit(maxDepth), cel.ParserErrorRecoveryLimit(4), cel.ParserExpressionSizeLimit(maxText),
		cel.ExpressionNodeLimit(maxNodes),
		cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
	}
	for _, group := range fields {
		for name, t := range group {
			options = append(options, cel.Variable(name, t))
		}
	}
	for name, f := range clock {
		options = append(options, cel.Function(name, cel.MemberOverload(f.overloads[0]+"_in_zone",
			[]*cel.Type{cel.TimestampType, cel.StringType}, cel.IntType,
			cel.BinaryBinding(f.inZone))))
	}
	return cel.NewCustomEnv(options...)
})

// environments keeps the last one made: the rules of a policy set share their networks.
var environments struct {
	sync.Mutex
	networks map[string][]netip.Prefix
	env      *cel.Env
}

func environment(networks map[string][]netip.Prefix) (*cel.Env, error) {
	environments.Lock()
	defer environments.Unlock()
	if environments.env != nil && maps.EqualFunc(networks, environments.networks, slices.Equal[[]netip.Prefix]) {
		return environments.env, nil
	}
	common, err := base()
	if err != nil {
		return nil, err
	}
	known := map[string][]netip.Prefix{}
	for name, prefixes := range networks {
		known[name] = slices.Clone(prefixes)
	}
	e, err := common.Extend(cel.Function(inNetwork, cel.Overload("in_network_string_string",
		[]*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
		cel.BinaryBinding(func(address, network ref.Val) ref.Val { return isIn(address, network, known) }))))
	if err == nil {
		environments.env, environments.networks = e, known
	}
	return e, err
}

func isIn(address, network ref.Val, known map[string][]netip.Prefix) ref.Val {
	a, okA := address.(types.String)
	n, okN := network.(types.String)
	if !okA || !okN {
		return types.MaybeNoSuchOverloadErr(address)
	}
	addr, err := netip.ParseAddr(string(a))
	if err != nil || addr.Zone() != "" {
		return types.NewErr("%q is no address", string(a))
	}
	addr = addr.Unmap()
	prefixes, named := known[string(n)]
	if !named {
		p, err := parseNetwork(string(n))
		if err != nil {
			return types.WrapErr(err)
		}
		return types.Bool(p.Contains(addr))
	}
	for _, p := range prefixes {
		if p.Contains(addr) {
			return types.True
		}
	}
	return types.False
}

// parseNetwork reads a CIDR or a single address.
func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return p, fmt.Errorf("%q is neither a network of the policy files nor a CIDR such as 10.0.0.0/8", s)
	}
	return p.Masked(), nil
}
