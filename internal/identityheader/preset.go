package identityheader

import (
	"maps"
	"slices"
)

const (
	tID      = "{http.auth.user.id}"
	tName    = "{http.auth.user.name}"
	tEmail   = "{http.auth.user.email}"
	tDisplay = "{http.auth.user.display_name}"
	tRoles   = "{http.auth.user.roles}"
	tBar     = "{http.truxe.roles_bar}"
	tSession = "{http.truxe.session}"
)

// ourOwn is the default set.
var ourOwn = []Custom{{User, tName}, {Name, tDisplay}, {Email, tEmail}, {Groups, tRoles}, {UserID, tID}, {Session, tSession}, {AMR, "{http.truxe.amr}"}}

// presets are the names that apps and other gateways' apps read. Each of these apps believes whoever can reach it: bind
// it to loopback, or list Caddy as its only trusted proxy.
var presets = map[string][]Custom{
	"grafana":        {{"X-WEBAUTH-USER", tName}, {"X-WEBAUTH-EMAIL", tEmail}, {"X-WEBAUTH-NAME", tDisplay}, {"X-WEBAUTH-GROUPS", tRoles}},
	"gitea":          {{"X-WEBAUTH-USER", tName}, {"X-WEBAUTH-EMAIL", tEmail}, {"X-WEBAUTH-FULLNAME", tDisplay}},
	"forgejo":        {{"X-WEBAUTH-USER", tName}, {"X-WEBAUTH-EMAIL", tEmail}, {"X-WEBAUTH-FULLNAME", tDisplay}},
	"jenkins":        {{"X-Forwarded-User", tName}, {"X-Forwarded-Mail", tEmail}, {"X-Forwarded-DisplayName", tDisplay}, {"X-Forwarded-Groups", tBar}},
	"freshrss":       {{"Remote-User", tName}, {"X-WebAuth-User", tName}},
	"miniflux":       {{"Remote-User", tName}},
	"paperless":      {{"Remote-User", tName}},
	"organizr":       {{"Remote-User", tName}, {"Remote-Email", tEmail}},
	"seerr":          {{"Remote-User", tName}, {"Remote-Email", tEmail}},
	"seafile":        {{"Remote-User", tName}},
	"jira":           {{"Remote-User", tName}},
	"guacamole":      {{"Remote-User", tName}},
	"firefly":        {{"Remote-User", tEmail}},
	"calibre-web":    {{"Remote-User", tName}},
	"home-assistant": {{"X-Forwarded-Preferred-Username", tName}},
	"2fauth":         {{"Remote-User", tName}, {"Remote-Email", tEmail}},
	"cloudbeaver":    {{"X-User", tName}, {"X-Role", tBar}, {"X-First-name", tDisplay}, {"X-Last-name", ""}},
	"koel":           {{"remote-user", tName}, {"remote-preferred-name", tDisplay}},
	"authelia":       {{User, tName}, {Groups, tRoles}, {Name, tDisplay}, {Email, tEmail}},
	"tinyauth":       {{User, tName}, {Groups, tRoles}, {Name, tDisplay}, {Email, tEmail}, {"Remote-Sub", tID}},
	"authentik": {{"X-authentik-username", tName}, {"X-authentik-groups", tBar}, {"X-authentik-email", tEmail}, {"X-authentik-name", tDisplay},
		{"X-authentik-uid", tID}},
	"oauth2-proxy":   {{"X-Forwarded-User", tID}, {"X-Forwarded-Groups", tRoles}, {"X-Forwarded-Email", tEmail}, {"X-Forwarded-Preferred-Username", tName}},
	"caddy-security": {{"X-Token-Subject", tName}, {"X-Token-User-Name", tDisplay}, {"X-Token-User-Email", tEmail}, {"X-Token-User-Roles", tRoles}},
	"vouch":          {{"X-Vouch-User", tEmail}},
}

func presetNames() []string { return slices.Sorted(maps.Keys(presets)) }
