package policy

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// The compact form of a trace goes into the details of an audit event: lines of tab-separated fields, the decision
// first.
const (
	compactSteps = 20
	compactSize  = 2048 // bytes
	compactName  = 100  // bytes of a rule's id or a file's name
	compactText  = 160  // bytes of a host, path, reason, remedy or why
)

// Compact writes a trace down in at most 2 KiB. ParseTrace reads it; texts come back shortened and on one line.
func (t Trace) Compact() string {
	d := t.Decision
	flags := ""
	for _, f := range []struct {
		set  bool
		flag string
	}{{d.Allow, "a"}, {d.Public, "p"}, {d.NeedLogin, "l"}, {d.Ask.MFA, "m"}, {d.Ask.Passkey, "k"}} {
		if f.set {
			flags += f.flag
		}
	}
	t.trim(compactSteps, d.Rule)
	head := line("1", flags, number(int(d.Ask.MaxAge/time.Second)), clip(string(d.Code), 40), clip(d.Rule, compactName),
		clip(d.Reason, compactText),
		clip(t.Host, compactText), clip(t.Method, 40), clip(t.Path, compactText), clip(t.Remedy, compactText))
	var steps []string
	size := len(head) + 12 // room for the count of what is left out
	for i, s := range t.Steps {
		mode := ""
		if s.Report {
			mode = "r"
		}
		l := "\n" + line(s.Effect.String(), s.Outcome.String(), mode, clip(s.Rule, compactName), clip(s.Why, compactText),
			clip(s.At.File, compactName), number(s.At.Line), number(s.At.Column))
		if size+len(l) > compactSize {
			t.Omitted += len(t.Steps) - i
			break
		}
		size += len(l)
		steps = append(steps, l)
	}
	return head + "\t" + number(t.Omitted) + strings.Join(steps, "")
}

func line(fields ...string) string { return strings.Join(fields, "\t") }

// clip shortens a text to fit into a field.
func clip(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most-3], "") + "…"
	}
	return s
}

var errTrace = errors.New("not the trace of a decision")

// ParseTrace reads the compact form; it takes nothing that Compact does not write.
func ParseTrace(s string) (Trace, error) {
	var t Trace
	if len(s) > compactSize || clip(strings.NewReplacer("\t", "", "\n", "").Replace(s),
		compactSize) != strings.NewReplacer("\t", "", "\n", "").Replace(s) {
		return t, errTrace
	}
	lines := strings.Split(s, "\n")
	head := strings.Split(lines[0], "\t")
	if len(head) != 11 || head[0] != "1" || len(lines) > compactSteps+1 {
		return t, errTrace
	}
	d := &t.Decision
	d.Allow, d.Public, d.NeedLogin = strings.Contains(head[1], "a"), strings.Contains(head[1],
		"p"), strings.Contains(head[1], "l")
	d.Ask = identity.Assurance{MFA: strings.Contains(head[1], "m"), Passkey: strings.Contains(head[1], "k")}
	age, okAge := count(head[2])
	d.Ask.MaxAge = time.Duration(age) * time.Second
	d.Code, d.Rule, d.Reason = identity.Code(head[3]), head[4], head[5]
	t.Host, t.Method, t.Path, t.Remedy = head[6], head[7], head[8], head[9]
	omitted, ok := count(head[10])
	t.Omitted = omitted
	if !ok || !okAge {
		return Trace{}, errTrace
	}
	for _, l := range lines[1:] {
		step, ok := parseStep(strings.Split(l, "\t"))
		if !ok {
			return Trace{}, errTrace
		}
		t.Steps = append(t.Steps, step)
	}
	if t.Compact() != s {
		return Trace{}, errTrace
	}
	return t, nil
}

func parseStep(f []string) (s Step, ok bool) {
	if len(f) != 8 {
		return s, false
	}
	for e := EffectAllow; e <= EffectDeny; e++ {
		if e.String() == f[0] {
			s.Effect = e
		}
	}
	for _, o := range []Outcome{Yes, Unmet} {
		if o.String() == f[1] {
			s.Outcome = o
		}
	}
	s.Report, s.Rule, s.Why, s.At.File = f[2] == "r", f[3], f[4], f[5]
	var okLine, okColumn bool
	s.At.Line, okLine = count(f[6])
	s.At.Column, okColumn = count(f[7])
	return s, okLine && okColumn && s.Effect != 0
}

func number(n int) string { return strconv.Itoa(min(max(n, 0), math.MaxInt32)) }

func count(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil
}
