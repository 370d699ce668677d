package identityheader

import (
	"net/http"
	"strings"
)

// SanitizeConnection keeps a client from deleting our headers: reverse_proxy drops every header that Connection names
// after we have set it (HD-02, CVE-2024-45410). Only what belongs to the connection itself stays. An upgrade to h2c is
// not passed on: the upstream would speak a protocol that is not checked here (HD-09). The usual forms cost no
// allocation.
func SanitizeConnection(h http.Header) {
	if len(h["Upgrade"]) > 0 && offersH2C(h["Upgrade"]) {
		delete(h, "Upgrade")
	}
	delete(h, "Http2-Settings") // RFC 7540 3.2.1: belongs to that upgrade alone
	delete(h, "Proxy-Connection")
	lines := h["Connection"]
	if len(lines) == 0 {
		return
	}
	upgrades := len(h["Upgrade"]) > 0
	if len(lines) == 1 && onlyOurs(lines[0], upgrades) {
		return
	}
	kept := make([]string, 0, 4)
	for _, line := range lines {
		for option, rest := nextOption(line); option != "" || rest != ""; option, rest = nextOption(rest) {
			if name := ofConnection(option, upgrades); name != "" && !contains(kept, name) {
				kept = append(kept, name)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(kept, ", ")}
}

// onlyOurs reports whether a line can stay as it is: options of the connection alone, as browsers spell them.
func onlyOurs(line string, upgrades bool) bool {
	for option, rest := nextOption(line); option != "" || rest != ""; option, rest = nextOption(rest) {
		if name := ofConnection(option, upgrades); name == "" || option != name && option != "Upgrade" &&
			option != "Keep-Alive" {
			return false
		}
	}
	return strings.Trim(line, " \t") != ""
}

// ofConnection returns the option's one spelling, "" for what is not the connection's own.
func ofConnection(option string, upgrades bool) string {
	switch {
	case strings.EqualFold(option, "keep-alive"):
		return "keep-alive"
	case strings.EqualFold(option, "close"):
		return "close"
	case strings.EqualFold(option, "te"):
		return "te"
	case upgrades && strings.EqualFold(option, "upgrade"):
		return "upgrade"
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func nextOption(line string) (option, rest string) {
	option, rest, _ = strings.Cut(line, ",")
	return strings.Trim(option, " \t"), rest
}

// offersH2C reports whether an Upgrade names HTTP/2 in any form ("h2c", "h2", "HTTP/2.0"), alone or among others.
func offersH2C(lines []string) bool {
	for _, line := range lines {
		for option, rest := nextOption(line); option != "" || rest != ""; option, rest = nextOption(rest) {
			protocol, _, _ := strings.Cut(option, "/")
			if strings.EqualFold(protocol, "h2c") || strings.EqualFold(protocol, "h2") || strings.EqualFold(protocol, "http") {
				return true
			}
		}
	}
	return false
}
