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
	slash    bool     // segments: a slash at the end, which strict comparison ignores
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
	p := pattern{kind: segments, text: text, segments: strings.Split(strings.TrimPrefix(base, "/"), "/"), rest: rest}
	p.slash = p.segments[len(p.segments)-1] == ""
	shape := slices.Clone(p.segments)
	for i := range shape {
		if shape[i] == "*" {
			shape[i] = "x"
		}
	}
	if !strings.HasPrefix(base, "/") || rest && p.slash || !checkPattern("/"+strings.Join(shape, "/")) {
		return p, errGlob
	}
	return p, nil
}

// matches compares with a whole path (AZ-03). wide: the path has letters beyond ASCII, or may have.
func (p *pattern) matches(path string, strict, wide bool) bool {
	switch p.kind {
	case anything:
		return true
	case exact:
		return path == p.text || strict && strings.EqualFold(strings.TrimSuffix(path, "/"), strings.TrimSuffix(p.text, "/"))
	case prefix:
		if strings.HasPrefix(path, p.text) {
			return true
		}
		return strict && belowFolded(path, p.text[:len(p.text)-1], wide)
	}
	return p.matchSegments(path, strict)
}

// belowFolded reports whether a path is base or below it, without regard to case. Letters that fold may differ in
// length (k and the Kelvin sign), so bytes alone do not decide.
func belowFolded(path, base string, wide bool) bool {
	if len(path) >= len(base) && strings.EqualFold(path[:len(base)], base) &&
		(len(path) == len(base) || path[len(base)] == '/') {
		return true
	}
	if !wide && isASCII(base) {
		return false
	}
	for more := true; more; {
		var want, got string
		want, base, more = strings.Cut(base, "/")
		var below bool
		if got, path, below = strings.Cut(path, "/"); !strings.EqualFold(got, want) || more && !below {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for len(s) >= 8 {
		if (s[0]|s[1]|s[2]|s[3]|s[4]|s[5]|s[6]|s[7])&0x80 != 0 {
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func (p *pattern) matchSegments(path string, strict bool) bool {
	rest, more := strings.CutPrefix(path, "/")
	if !more {
		return false
	}
	wanted := p.segments
	if strict {
		rest = strings.TrimSuffix(rest, "/")
		if p.slash && !p.rest {
			wanted = wanted[:len(wanted)-1]
		}
	}
	for _, want := range wanted {
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

// parts are the segments of the path without a slash at the end: where the index files the pattern.
func (p *pattern) parts() []string {
	parts := p.segments
	if p.kind != segments {
		parts = strings.Split(strings.TrimPrefix(p.text, "/"), "/")
	}
	if p.kind == anything {
		return nil
	}
	if n := len(parts); n > 0 && parts[n-1] == "" {
		parts = parts[:n-1]
	}
	return parts
}
