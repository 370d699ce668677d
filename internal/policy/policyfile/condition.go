package policyfile

import "github.com/truxeio/caddy-truxe/internal/policy/condition"

// compileCondition compiles the `when` of rules.
var compileCondition Conditions = condition.Compile
