package policy

import (
	"errors"
	"slices"
	"strings"
)

type kind uint8

const (
	exact    kind = iota // text
	prefix               // text ends in "/": it and all below
	segments             // one by one, "*" is any
	anything             // also the "*" of OPTIONS
)

// pattern is a rule's path.
type pattern struct {
	kind     kind
	text     string
	segments []string // after the first slash
	rest     bool     // segments: more may follow
}

var (
	errPath = errors.New("write an exact path such as /healthz, a prefix such as /static/*, or *")
	errGlob = errors.New(`write a path from the root, in which a segment may be "*" and the last one "**"`)
)

func caddyfilePattern(text string) (pattern, error) {
	if text == "*" {
		return pattern{kind: anything}, nil
	}
	base, isPrefix := strings.CutSuffix(text, "/**")
	if !isPrefix {
		base, isPrefix = strings.CutSuffix(text, "/*")
	}
	p := pattern{text: text}
	if isPrefix {
		p = pattern{kind: prefix, text: base + "/"}
	}
	if !checkPattern(p.text) {
		return p, errPath
	}
	return p, nil
}

func globPattern(text string) (pattern, error) {
	base, rest := strings.CutSuffix(text, "/**")
	if !strings.Contains(base, "*") {
		p := pattern{text: text}
		if rest {
			p = pattern{kind: prefix, text: base + "/"}
		}
		if !checkPattern(p.text) {
			return p, errGlob
		}
		return p, nil
	}
	p := pattern{kind: segments, segments: strings.Split(strings.TrimPrefix(base, "/"), "/"), rest: rest}
	shape := slices.Clone(p.segments)
	for i := range shape {
		if shape[i] == "*" {
			shape[i] = "x"
		}
	}
	if !strings.HasPrefix(base, "/") || !checkPattern("/"+strings.Join(shape, "/")) {
		return p, errGlob
	}
	return p, nil
}

// matches compares with a whole path (AZ-03).
func (p *pattern) matches(path string, strict bool) bool {
	switch p.kind {
	case anything:
		return true
	case exact:
		return path == p.text || strict && strings.EqualFold(strings.TrimSuffix(path, "/"), strings.TrimSuffix(p.text, "/"))
	case prefix:
		if strings.HasPrefix(path, p.text) {
			return true
		}
		base := p.text[:len(p.text)-1]
		return strict && len(path) >= len(base) && strings.EqualFold(path[:len(base)], base) && (len(path) == len(base) || path[len(base)] == '/')
	}
	return p.matchSegments(path, strict)
}

func (p *pattern) matchSegments(path string, strict bool) bool {
	rest, more := strings.CutPrefix(path, "/")
	if !more {
		return false
	}
	if strict {
		rest = strings.TrimSuffix(rest, "/")
	}
	for _, want := range p.segments {
		if !more {
			return false
		}
		var got string
		got, rest, more = strings.Cut(rest, "/")
		switch {
		case want == "*" && got != "", got == want, strict && strings.EqualFold(got, want):
		default:
			return false
		}
	}
	return p.rest && (more || strict) || !more && !p.rest
}
