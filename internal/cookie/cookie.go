// Package cookie reads and removes the gateway's cookies by scanning the Cookie header: building net/http's list of all
// cookies costs twenty times as much. The app's own cookies keep their bytes.
package cookie

import (
	"net/http"
	"strings"
)

// Prefix begins the name of every cookie of ours. Anything that begins with it is removed before the upstream, so a
// cookie that looks like a chunk of ours is ignored and never passed on (SE-07).
const Prefix = "__Host-truxe"

// Find gives the value of a cookie and how many of that name were sent. Names compare exactly.
func Find(h http.Header, name string) (value string, count int) {
	for _, line := range h["Cookie"] {
		for line != "" {
			var part string
			part, line, _ = strings.Cut(line, ";")
			part = trim(part)
			if len(part) > len(name) && part[len(name)] == '=' && part[:len(name)] == name {
				if count == 0 {
					value = part[len(name)+1:]
				}
				count++
			}
		}
	}
	return value, count
}

// Strip removes our cookies. Without any it changes and allocates nothing.
func Strip(h http.Header) {
	lines := h["Cookie"]
	for i, line := range lines {
		if !mayHold(line) {
			continue
		}
		kept := make([]string, 0, len(lines))
		kept = append(kept, lines[:i]...)
		for _, l := range lines[i:] {
			if l = without(l); l != "" {
				kept = append(kept, l)
			}
		}
		if len(kept) == 0 {
			delete(h, "Cookie")
		} else {
			h["Cookie"] = kept
		}
		return
	}
}

// mayHold is a cheap test; browsers compare the prefix without case, so do we.
func mayHold(line string) bool {
	for i := 0; i+len(Prefix) <= len(line); i++ {
		if line[i] == '_' && strings.EqualFold(line[i:i+len(Prefix)], Prefix) {
			return true
		}
	}
	return false
}

// without gives the line without our cookies.
func without(line string) string {
	if !mayHold(line) {
		return line
	}
	if len(line) >= len(Prefix) && !strings.Contains(line, ";") && ours(trim(line)) {
		return ""
	}
	parts := strings.Split(line, ";")
	kept := parts[:0]
	for _, p := range parts {
		if !ours(trim(p)) {
			kept = append(kept, p)
		}
	}
	return strings.TrimLeft(strings.Join(kept, ";"), " \t")
}

func ours(part string) bool {
	return len(part) >= len(Prefix) && strings.EqualFold(part[:len(Prefix)], Prefix)
}

func trim(s string) string { return strings.Trim(s, " \t") }
