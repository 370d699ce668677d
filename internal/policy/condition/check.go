package condition

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp/syntax"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/truxeio/caddy-truxe/internal/nearest"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

type checked struct {
	env *cel.Env
	ast *cel.Ast
}

// check parses, looks for what CEL would explain badly or accept, checks the types and adds up the cost.
func check(text string, networks map[string][]netip.Prefix) (checked, error) {
	c := checked{}
	whole := policy.Position{Line: 1, Column: 1}
	if len(text) > maxText {
		return c, problem(whole, "a condition has at most %d bytes, this one has %d", maxText, len(text))
	}
	var err error
	if c.env, err = environment(networks); err != nil {
		return c, problem(whole, "condition: %v", err)
	}
	parsed, issues := c.env.Parse(text)
	if err := first(issues); err != nil {
		return c, err
	}
	r := reader{env: c.env, info: parsed.NativeRep().SourceInfo(), networks: networks, locals: map[string]bool{}}
	ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(r.visit))
	if r.problem != nil {
		return c, r.problem
	}
	if c.ast, issues = c.env.Check(parsed); issues.Err() != nil {
		return c, first(issues)
	}
	if t := c.ast.OutputType(); !t.IsExactType(cel.BoolType) {
		return c, problem(whole, "a condition is true or false, this one is of type %s", t)
	}
	cost, err := c.env.EstimateCost(c.ast, sizes{})
	if err != nil {
		return c, problem(whole, "condition: %v", err)
	}
	if cost.Max > costLimit {
		return c,
			problem(whole,
				"the condition could cost too much: %d units, %d are allowed; compare less text, or fewer lists with each other",
				cost.Max, costLimit)
	}
	return c, nil
}

func problem(at policy.Position, format string, args ...any) error {
	return &policy.Problem{At: at, Message: fmt.Sprintf(format, args...)}
}

// first returns the first of CEL's errors.
func first(issues *cel.Issues) error {
	if issues.Err() == nil {
		return nil
	}
	e := slices.MinFunc(issues.Errors(), func(a, b *cel.Error) int {
		if a.Location.Line() != b.Location.Line() {
			return a.Location.Line() - b.Location.Line()
		}
		return a.Location.Column() - b.Location.Column()
	})
	at := policy.Position{Line: max(1, e.Location.Line()), Column: max(0, e.Location.Column()) + 1}
	message := strings.TrimPrefix(strings.TrimSuffix(e.Message, " (in container '')"), "Syntax error: ")
	return problem(at, "condition: %s", message)
}

// reader walks through an expression.
type reader struct {
	env      *cel.Env
	info     *ast.SourceInfo
	networks map[string][]netip.Prefix
	locals   map[string]bool // variables of all, exists, exists_one
	known    map[int64]bool  // names before a field
	problem  error           // the first
}

func (r *reader) fail(id int64, shift int, format string, args ...any) {
	if r.problem == nil {
		at := r.info.GetStartLocation(id)
		r.problem = problem(policy.Position{Line: max(1, at.Line()), Column: max(0, at.Column()) + 1 + shift}, format,
			args...)
	}
}

func (r *reader) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.SelectKind:
		r.field(e)
	case ast.IdentKind:
		r.name(e)
	case ast.CallKind:
		r.call(e)
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		for _, name := range []string{c.IterVar(), c.IterVar2(), c.AccuVar()} {
			r.locals[name] = true
			if _, taken := fields[name]; taken {
				r.fail(e.ID(), 0, "%s is a name of its own and cannot name the elements of a list", name)
			}
		}
	case ast.MapKind, ast.StructKind:
		r.fail(e.ID(), 0, "a condition has no maps and no messages")
	}
}

// field checks request.x and user.x.
func (r *reader) field(e ast.Expr) {
	s := e.AsSelect()
	if s.Operand().Kind() != ast.IdentKind {
		return // CEL says that what has no fields has none
	}
	of := s.Operand().AsIdent()
	names, ok := fields[of]
	if !ok {
		return
	}
	if r.known == nil {
		r.known = map[int64]bool{}
	}
	r.known[s.Operand().ID()] = true
	if _, ok := names[of+"."+s.FieldName()]; !ok {
		r.fail(s.Operand().ID(), len(of)+1, "unknown field %q of %s%s", s.FieldName(), of, oneOf(s.FieldName(), short(names)))
	}
}

// name checks a name without a field.
func (r *reader) name(e ast.Expr) {
	name := e.AsIdent()
	switch {
	case r.known[e.ID()] || r.locals[name]:
	case fields[name] != nil:
		r.fail(e.ID(), 0, "%s alone has no value; write one of its fields, such as %s", name,
			slices.Min(slices.Collect(maps.Keys(fields[name]))))
	default:
		r.fail(e.ID(), 0, "unknown name %q%s", name, oneOf(name, slices.Sorted(maps.Keys(fields))))
	}
}

// call checks the function and the arguments that must be constants.
func (r *reader) call(e ast.Expr) {
	c := e.AsCall()
	name, args := c.FunctionName(), c.Args()
	if !r.env.HasFunction(name) {
		r.fail(e.ID(), 0, "unknown function %q%s", name, oneOf(name, append(callable(), "all", "exists", "exists_one")))
		return
	}
	last := func() (ast.Expr, string, bool) {
		a := args[len(args)-1]
		s, ok := a.AsLiteral().(types.String)
		return a, string(s), ok
	}
	switch {
	case name == inNetwork && len(args) == 2:
		a, network, constant := last()
		if !constant {
			r.fail(a.ID(), 0, "the network of in_network is written out, such as \"office\" or \"10.0.0.0/8\"")
		} else if _, named := r.networks[network]; !named {
			if _, err := parseNetwork(network); err != nil {
				r.fail(a.ID(), 0, "unknown network %q%s; or write a CIDR", network,
					oneOf(network, slices.Sorted(maps.Keys(r.networks))))
			}
		}
	case name == "matches" && len(args) > 0:
		a, pattern, constant := last()
		if !constant || len(pattern) > maxPattern {
			r.fail(a.ID(), 0, "the pattern of matches is written out and has at most %d bytes", maxPattern)
		} else if err := checkPattern(pattern); err != nil {
			r.fail(a.ID(), 0, "%v", err)
		}
	case clock[name].of != nil && len(args) == 1 && c.IsMemberFunction():
		if a, zone, constant := last(); !constant || !loadZone(zone) {
			r.fail(a.ID(), 0, "unknown time zone: write one such as \"Europe/Berlin\" or \"+02:00\"")
		}
	}
}

// checkPattern compiles a regular expression. Its size is counted here, since CEL's own limit panics on repetitions
// ("a{2}", v0.32: it compiles what it has not simplified).
func checkPattern(pattern string) error {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err == nil && len(program.Inst) > maxProgram {
		err = fmt.Errorf("the pattern is too large: %d steps, %d are allowed; mind repetitions", len(program.Inst),
			maxProgram)
	}
	return err
}

func callable() []string {
	names := []string{inNetwork}
	for _, f := range functions {
		if strings.Trim(f, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			names = append(names, f)
		}
	}
	return append(names, slices.Sorted(maps.Keys(clock))...)
}

func short(names map[string]*cel.Type) []string {
	var out []string
	for name := range names {
		_, field, _ := strings.Cut(name, ".")
		out = append(out, field)
	}
	slices.Sort(out)
	return out
}

// oneOf hints at the nearest name, or lists them all.
func oneOf(got string, options []string) string {
	if hint := nearest.Hint(got, options); hint != "" || len(options) == 0 || len(options) > 10 {
		return hint
	}
	return "; there are " + strings.Join(options, ", ")
}

// sizes estimates, for the cost of an expression, how large a request can be.
type sizes struct{}

// EstimateSize implements checker.CostEstimator.
func (sizes) EstimateSize(n checker.AstNode) *checker.SizeEstimate {
	path := n.Path()
	if len(path) == 0 {
		return nil
	}
	size := checker.SizeEstimate{Max: 100}
	switch variable := path[0]; {
	case len(path) > 1: // a role, a method
	case variable == "request.path":
		size.Max = maxPath
	case variable == "request.host" || variable == "user.id" || variable == "user.name" || variable == "user.email":
		size.Max = 256
	case variable == "user.roles" || variable == "user.amr":
		size.Max = 32 // who has more may find a list of lists Failed
	}
	return &size
}

// EstimateCallCost implements checker.CostEstimator.
func (sizes) EstimateCallCost(function, overload string, _ *checker.AstNode,
	_ []checker.AstNode) *checker.CallEstimate {
	if function == inNetwork {
		return &checker.CallEstimate{CostEstimate: checker.FixedCostEstimate(50)}
	}
	return nil
}
