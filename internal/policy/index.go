package policy

import (
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// index finds, by host, method and path, the rules that may match a request: all that do and few others, since segments
// are in it as hashes without case, and without a slash at the end. Each rule found is compared in full afterwards,
// so the index changes no decision.
type index struct {
	hosts map[string]*node
	any   *node   // rules for every host
	rest  []int32 // rules that name so many hosts and paths that a tree of them would be too large
	depth int     // of the deepest pattern
}

// node is a place in a tree of path segments.
type node struct {
	next map[uint64]*node // by the hash of a segment
	star *node            // any segment
	here []entry          // rules whose path ends here
	more []entry          // rules for this path and all below
}

// entry is a rule with the methods it is about.
type entry struct {
	rule    int32
	methods uint16
}

const (
	maxDepth  = 32   // deeper patterns are indexed by their first segments
	maxPlaces = 4096 // hosts times paths of one rule that are indexed
)

func newIndex(rules []compiled) *index {
	x := &index{hosts: map[string]*node{}, any: &node{}}
	for i := range rules {
		c := &rules[i]
		e := entry{rule: int32(i), methods: methodsOf(c)}
		if len(c.hosts)*max(1, len(c.patterns)) > maxPlaces {
			x.rest = append(x.rest, e.rule)
			continue
		}
		if len(c.hosts) == 0 {
			x.add(x.any, c, e)
		}
		for _, h := range c.hosts {
			root := x.hosts[h]
			if root == nil {
				root = &node{}
				x.hosts[h] = root
			}
			x.add(root, c, e)
		}
	}
	return x
}

func (x *index) add(root *node, c *compiled, e entry) {
	if len(c.patterns) == 0 {
		root.more = append(root.more, e)
	}
	for i := range c.patterns {
		p := &c.patterns[i]
		n, below := root, p.kind == prefix || p.kind == anything || p.rest
		for depth, seg := range p.parts() {
			if depth == maxDepth {
				below = true
				break
			}
			n = n.child(seg, p.kind == segments)
			x.depth = max(x.depth, depth+1)
		}
		if below {
			n.more = append(n.more, e)
		} else {
			n.here = append(n.here, e)
		}
	}
}

// child finds or makes the place of a segment.
func (n *node) child(seg string, wild bool) *node {
	if wild && seg == "*" {
		if n.star == nil {
			n.star = &node{}
		}
		return n.star
	}
	h := foldedHash(seg)
	if n.next[h] == nil {
		if n.next == nil {
			n.next = map[uint64]*node{}
		}
		n.next[h] = &node{}
	}
	return n.next[h]
}

// find appends the rules that may match, in order and each once.
func (x *index) find(found []int32, host, path string, method uint16) []int32 {
	var buf [maxDepth]uint64
	hashes := x.hash(buf[:0], path)
	found = append(found, x.rest...)
	found = x.any.collect(found, hashes, method)
	if n := x.hosts[host]; n != nil {
		found = n.collect(found, hashes, method)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// hash returns the hashes of a path's first segments.
func (x *index) hash(to []uint64, path string) []uint64 {
	rest := strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	more := rest != ""
	for more && len(to) < maxDepth && len(to) <= x.depth {
		var seg string
		seg, rest, more = strings.Cut(rest, "/")
		to = append(to, foldedHash(seg))
	}
	return to
}

func (n *node) collect(found []int32, path []uint64, method uint16) []int32 {
	for {
		found = pick(found, n.more, method)
		if len(path) == 0 {
			return pick(found, n.here, method)
		}
		if n.star != nil {
			found = n.star.collect(found, path[1:], method)
		}
		if n = n.next[path[0]]; n == nil {
			return found
		}
		path = path[1:]
	}
}

func pick(found []int32, entries []entry, method uint16) []int32 {
	for _, e := range entries {
		if e.methods&method != 0 {
			found = append(found, e.rule)
		}
	}
	return found
}

const anyMethod uint16 = 1<<16 - 1

var methodNames = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace}

// methodBit returns a bit for each known method, and one bit for all others.
func methodBit(method string) uint16 {
	for i, name := range methodNames {
		if name == method {
			return 1 << i
		}
	}
	return 1 << 15
}

func methodsOf(c *compiled) uint16 {
	if len(c.methods) == 0 {
		return anyMethod
	}
	bits := uint16(0)
	for _, m := range append(slices.Clone(methodNames), c.methods...) {
		if c.names(m) {
			bits |= methodBit(m)
		}
	}
	return bits
}

// foldedHash is the same for strings that strings.EqualFold calls equal (FNV-1a over the least rune of every fold).
func foldedHash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 {
			return foldedRunes(h, s[i:])
		}
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func foldedRunes(h uint64, s string) uint64 {
	for _, r := range s {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		h = (h ^ uint64(uint32(least))) * 1099511628211
	}
	return h
}
