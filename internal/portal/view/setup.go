package view

import "strings"

// Setup creates the first administrator. It posts FieldToken, FieldUsername, FieldEmail, FieldName and FieldNew to
// {base}/setup. The module takes the code from "#t=…" and clears the address bar; without it the code is pasted.
type Setup struct {
	Token                 string // kept after a failure: the code is used up by success only
	Username, Email, Name string
	Problems              []Problem
	MinLength             int // of a password alone; 0 means 15
}

func (p Setup) meta() meta {
	return meta{name: "setup", title: "setup.title", failed: len(p.Problems) > 0}
}

// Length is the shortest password that is taken.
func (p Setup) Length() int { return length(p.MinLength) }

func length(n int) int {
	if n <= 0 {
		return 15 // NIST SP 800-63B-4 3.1.1.2
	}
	return n
}

// SetupDone follows Setup: what to do next.
type SetupDone struct {
	Viewer Viewer
	Host   string // this host, with its port where it has one
}

func (p SetupDone) meta() meta {
	return meta{name: "setupdone", title: "setupdone.title", viewer: p.Viewer}
}

// Caddyfile is a site block that protects this host. A host that could break out of it is not written down.
func (p SetupDone) Caddyfile() string {
	host := p.Host
	if host == "" || strings.IndexFunc(host, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(".-:[]", c))
	}) >= 0 {
		host = "app.example.com"
	}
	return host + " {\n\ttruxe\n\treverse_proxy localhost:3000\n}\n"
}
