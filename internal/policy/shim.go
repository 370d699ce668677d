package policy

import "github.com/truxeio/caddy-truxe/internal/identity"

// Trace is a stand-in until explanations are merged.
type Trace struct{}

// Compact is a stand-in.
func (Trace) Compact() string { return "" }

// Explain is a stand-in.
func (s *Set) Explain(Request, *identity.Principal) Trace { return Trace{} }
