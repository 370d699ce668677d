package signin

import (
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// passkeyName checks a name as typed.
func passkeyName(name string, mayBeEmpty bool) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" && !mayBeEmpty || !credential.PlainText(name, 64) {
		return "", identity.Invalid("A name has 1 to 64 characters.")
	}
	return name, nil
}

// nameFor names a passkey by its kind and the browser it was created in.
func nameFor(p store.Passkey, agent string) string {
	kind := "Passkey"
	switch {
	case p.BackupEligible:
		kind = "Synced passkey"
	case len(p.Transports) > 0 && !slices.Contains(p.Transports, "internal") && !slices.Contains(p.Transports, "hybrid"):
		kind = "Security key"
	}
	if where := browserOf(agent); where != "" {
		kind += " (" + where + ")"
	}
	return kind
}

// browserOf reads browser and system from a User-Agent, for a name that its owner can change. The order matters: most
// browsers name others too.
func browserOf(agent string) string {
	find := func(pairs ...[2]string) string {
		for _, p := range pairs {
			if strings.Contains(agent, p[0]) {
				return p[1]
			}
		}
		return ""
	}
	browser := find([2]string{"Edg", "Edge"}, [2]string{"OPR/", "Opera"}, [2]string{"Firefox/", "Firefox"},
		[2]string{"FxiOS/", "Firefox"},
		[2]string{"CriOS/", "Chrome"}, [2]string{"Chrome/", "Chrome"}, [2]string{"Safari/", "Safari"})
	system := find([2]string{"iPhone", "iPhone"}, [2]string{"iPad", "iPad"}, [2]string{"Android", "Android"},
		[2]string{"Windows", "Windows"},
		[2]string{"Mac OS X", "macOS"}, [2]string{"CrOS", "ChromeOS"}, [2]string{"Linux", "Linux"})
	if browser == "" || system == "" {
		return browser + system
	}
	return browser + " on " + system
}
