package signin

import (
	"slices"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
	"github.com/truxeio/caddy-truxe/internal/useragent"
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
	browser, system := useragent.Of(agent)
	where := browser + system
	if browser != "" && system != "" {
		where = browser + " on " + system
	}
	if where != "" {
		kind += " (" + where + ")"
	}
	return kind
}
