package ratelimit

import (
	"encoding/base32"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// A strict parser of structured fields (RFC 9651 section 4.2), for judging our own fields. Values are what the IETF's
// test cases have in JSON: an item is [value, [[key, value]...]], an inner list takes the place of the value.

var errField = errors.New("not a structured field")

type fieldReader struct{ s string }

func parseField(kind string, lines []string) (out any, err error) {
	defer func() {
		if p := recover(); p == any(errField) {
			out, err = nil, errField
		} else if p != nil {
			panic(p)
		}
	}()
	r := &fieldReader{strings.Trim(strings.Join(lines, ","), " ")}
	switch kind {
	case "item":
		out = r.item()
	case "list":
		list := []any{}
		r.members(func() { list = append(list, r.member()) })
		out = list
	case "dictionary":
		d := []any{}
		r.members(func() {
			key := r.key()
			if r.eat("=") {
				d = set(d, key, r.member())
			} else {
				d = set(d, key, []any{true, r.params()})
			}
		})
		out = d
	}
	if r.s != "" {
		return nil, errField
	}
	return out, nil
}

func set(pairs []any, key string, value any) []any {
	for i, p := range pairs {
		if p.([]any)[0] == key {
			pairs[i] = []any{key, value}
			return pairs
		}
	}
	return append(pairs, []any{key, value})
}

func (r *fieldReader) eat(prefix string) bool {
	rest, ok := strings.CutPrefix(r.s, prefix)
	r.s = rest
	return ok
}

func (r *fieldReader) need(ok bool) {
	if !ok {
		panic(errField)
	}
}

func (r *fieldReader) members(one func()) {
	for r.s != "" {
		one()
		r.s = strings.TrimLeft(r.s, " \t")
		if r.s == "" {
			return
		}
		r.need(r.eat(","))
		r.s = strings.TrimLeft(r.s, " \t")
		r.need(r.s != "")
	}
}

func (r *fieldReader) member() any {
	if !r.eat("(") {
		return r.item()
	}
	list := []any{}
	for {
		r.s = strings.TrimLeft(r.s, " ")
		if r.eat(")") {
			return []any{list, r.params()}
		}
		list = append(list, r.item())
		r.need(strings.HasPrefix(r.s, " ") || strings.HasPrefix(r.s, ")"))
	}
}

func (r *fieldReader) item() any { return []any{r.bare(), r.params()} }

func (r *fieldReader) params() []any {
	out := []any{}
	for r.eat(";") {
		r.s = strings.TrimLeft(r.s, " ")
		key := r.key()
		var value any = true
		if r.eat("=") {
			value = r.bare()
		}
		out = set(out, key, value)
	}
	return out
}

// span cuts the longest prefix whose bytes are in set.
func (r *fieldReader) span(set string) string {
	n := len(r.s) - len(strings.TrimLeft(r.s, set))
	out := r.s[:n]
	r.s = r.s[n:]
	return out
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

func (r *fieldReader) key() string {
	r.need(r.s != "" && strings.IndexByte(lower+"*", r.s[0]) >= 0)
	return r.span(lower + digits + "_-.*")
}

func (r *fieldReader) bare() any {
	r.need(r.s != "")
	switch c := r.s[0]; {
	case c == '-' || strings.IndexByte(digits, c) >= 0:
		return r.number()
	case c == '"':
		return r.text()
	case c == '*' || strings.IndexByte(lower+upper, c) >= 0:
		return map[string]any{"__type": "token", "value": r.span(lower + upper + digits + ":/!#$%&'*+-.^_`|~")}
	case r.eat(":"):
		raw := r.span(lower + upper + digits + "+/=")
		r.need(r.eat(":"))
		data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(raw, "="))
		r.need(err == nil)
		return map[string]any{"__type": "binary", "value": base32.StdEncoding.EncodeToString(data)}
	case r.eat("?"):
		yes := r.eat("1")
		r.need(yes || r.eat("0"))
		return yes
	case r.eat("@"):
		v := r.number()
		r.need(v == float64(int64(v)))
		return map[string]any{"__type": "date", "value": v}
	}
	panic(errField)
}

func (r *fieldReader) number() float64 {
	sign := ""
	if r.eat("-") {
		sign = "-"
	}
	whole := r.span(digits)
	r.need(whole != "")
	text := sign + whole
	if r.eat(".") {
		part := r.span(digits)
		r.need(len(whole) <= 12 && len(part) >= 1 && len(part) <= 3)
		text += "." + part
	} else {
		r.need(len(whole) <= 15)
	}
	v, err := strconv.ParseFloat(text, 64)
	r.need(err == nil)
	return v
}

func (r *fieldReader) text() string {
	r.eat(`"`)
	var b strings.Builder
	for {
		r.need(r.s != "")
		c := r.s[0]
		r.s = r.s[1:]
		switch {
		case c == '"':
			return b.String()
		case c == '\\':
			r.need(r.s != "" && (r.s[0] == '"' || r.s[0] == '\\'))
			b.WriteByte(r.s[0])
			r.s = r.s[1:]
		default:
			r.need(c >= 0x20 && c < 0x7f)
			b.WriteByte(c)
		}
	}
}
