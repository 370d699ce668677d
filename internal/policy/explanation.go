package policy

import (
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Inquiry is a request that might be sent, for command line and API: what would be decided?
type Inquiry struct {
	User    string `json:"user"` // "": an anonymous visitor
	Method  string `json:"method"`
	URL     string `json:"url"`
	IP      string `json:"ip"`      // "": not known
	MFA     bool   `json:"mfa"`     // as if a second factor had just been shown
	Passkey bool   `json:"passkey"` // as if a passkey had
}

// Explanation describes how a decision came about, for a request that was answered or for one that might be sent.
type Explanation struct {
	Reference string `json:"reference,omitempty"`
	Time      string `json:"time,omitempty"`
	Event     string `json:"event,omitempty"` // of the audit log, when the reference is not of a decision
	ExplainedRequest
	ExplainedDecision
	Steps   []ExplainedRule   `json:"steps"`
	Omitted int               `json:"omitted"` // rules beyond those
	Remedy  string            `json:"remedy"`
	Details map[string]string `json:"details,omitempty"`
}

// ExplainedRequest is the request that was decided about, and whose it is.
type ExplainedRequest struct {
	Method string   `json:"method"`
	URL    string   `json:"url"`
	Path   string   `json:"path"` // the reading of the path that decided
	User   string   `json:"user"` // "" is an anonymous visitor
	Roles  []string `json:"roles"`
	AMR    []string `json:"amr"`
	IP     string   `json:"ip"`
}

// ExplainedDecision is what was decided.
type ExplainedDecision struct {
	Decision string        `json:"decision"` // allow, deny, login, step_up; "" when nothing was decided
	Code     identity.Code `json:"code"`
	Rule     string        `json:"rule"`
	Reason   string        `json:"reason"`
}

// ExplainedRule is one rule that was looked at.
type ExplainedRule struct {
	Effect  string `json:"effect"`
	Rule    string `json:"rule"`
	Mode    string `json:"mode"`
	Outcome string `json:"outcome"` // yes, no, UNMET
	Why     string `json:"why"`
	Place   string `json:"place"`
}

// Take fills in what a trace knows.
func (e *Explanation) Take(t Trace) {
	e.Path, e.Decision, e.Code = t.Path, t.Decision.Verdict(), t.Decision.Code
	e.Rule, e.Reason = t.Decision.Rule, t.Decision.Reason
	e.Omitted, e.Remedy, e.Steps = t.Omitted, t.Remedy, []ExplainedRule{}
	for _, s := range t.Steps {
		place := s.At.String()
		if strings.HasPrefix(s.Rule, "caddyfile:") {
			place = inCaddyfile
		}
		e.Steps = append(e.Steps, ExplainedRule{s.Effect.String(), s.Rule, modeOf(s.Report), s.Outcome.String(), s.Why,
			place})
	}
}

// About says whose request it is; nil: an anonymous visitor's.
func (e *Explanation) About(p *identity.Principal) {
	e.Roles, e.AMR = []string{}, []string{}
	if p == nil {
		return
	}
	e.User, e.Roles, e.AMR = LocalName(p), append(e.Roles, p.Roles...), append(e.AMR, p.AMR...)
}

// inCaddyfile is the place of the sites' own lines.
const inCaddyfile = "Caddyfile"

func modeOf(report bool) string {
	if report {
		return "report"
	}
	return "enforce"
}

// Listing is the rules in force as they are written.
type Listing struct {
	Items      []Row      `json:"items"`
	NextCursor string     `json:"next_cursor"` // "": these are all
	State      FilesState `json:"state"`
}

// FilesState says which policy files are in force.
type FilesState struct {
	Dir    string `json:"dir"`    // "": none are configured
	Digest string `json:"digest"` // SHA-256 of the files, in hex
	Since  string `json:"since"`  // RFC 3339
	// Problem is why newer files are not in force; "" when those in force are the newest.
	Problem string `json:"problem,omitempty"`
}

// Row is a rule as it is listed.
type Row struct {
	ID      string   `json:"id"`
	Effect  string   `json:"effect"`
	Hosts   []string `json:"hosts"` // [], as below: any
	Methods []string `json:"methods"`
	Paths   []string `json:"paths"`
	From    []string `json:"networks"`
	To      []string `json:"to"`
	Require []string `json:"require"`
	When    string   `json:"when"`
	Reason  string   `json:"reason"`
	Mode    string   `json:"mode"`
	Place   string   `json:"place"`
}

// RowOf lists a rule.
func RowOf(r Rule) Row {
	row := Row{ID: r.ID, Effect: r.Effect.String(), Hosts: append([]string{}, r.Hosts...),
		Methods: append([]string{}, r.Methods...), Paths: append(slices.Clone(r.Paths), r.Globs...),
		From: []string{}, To: r.Whom(), Require: []string{}, Reason: r.Reason, Mode: modeOf(r.Report), Place: r.At.String()}
	if row.Paths == nil {
		row.Paths = []string{}
	}
	for _, n := range r.From {
		row.From = append(row.From, n.String())
	}
	if r.Effect == EffectRequire {
		row.To, row.Require = []string{}, r.Requires()
	}
	if r.When != nil {
		row.When = r.When.String()
	}
	if row.Place == "" {
		row.Place = inCaddyfile
	}
	return row
}
