package identityheader

import (
	"maps"
	"slices"
)

type preset []struct {
	name  string
	value value
}

// ourOwn is the default set.
var ourOwn = preset{{User, vName}, {Name, vDisplay}, {Email, vEmail}, {Groups, vRoles}, {UserID, vID},
	{Session, vSession}, {AMR, vAMR}}

// remoteUser serves the apps that read HTTP_REMOTE_USER, which CGI and WSGI servers make of it. Caddy fills FastCGI's
// own REMOTE_USER with the id of the user (docs/reference/headers.md).
var remoteUser = preset{{User, vName}}

// presets are the names that apps, and the apps of other gateways, read. Each of these apps believes whoever can reach
// it: bind it to loopback, or list Caddy as its only trusted proxy (CVE-2026-63439, CVE-2026-20896).
var presets = map[string]preset{
	"grafana": {{"X-WEBAUTH-USER", vName}, {"X-WEBAUTH-EMAIL", vEmail}, {"X-WEBAUTH-NAME", vDisplay},
		{"X-WEBAUTH-GROUPS", vRoles}},
	"gitea":   gitea,
	"forgejo": gitea,
	"jenkins": {{"X-Forwarded-User", vName}, {"X-Forwarded-Mail", vEmail}, {"X-Forwarded-DisplayName", vDisplay},
		{"X-Forwarded-Groups", vRolesBar}},
	"freshrss":       {{User, vName}, {"X-WebAuth-User", vName}},
	"miniflux":       remoteUser, // AUTH_PROXY_HEADER names it
	"paperless":      remoteUser,
	"organizr":       {{User, vName}, {Email, vEmail}},
	"seerr":          {{User, vName}, {Email, vEmail}},
	"seafile":        remoteUser,
	"jira":           remoteUser,
	"guacamole":      remoteUser, // http-auth-header names it
	"firefly":        {{User, vEmail}},
	"calibre-web":    remoteUser,
	"home-assistant": {{"X-Forwarded-Preferred-Username", vName}},
	"2fauth":         remoteUser,
	"cloudbeaver":    {{"X-User", vName}, {"X-Role", vRolesBar}, {"X-First-name", vDisplay}, {"X-Last-name", vNone}},
	"koel":           {{User, vName}, {"Remote-Preferred-Name", vDisplay}},

	"authelia": {{User, vName}, {Groups, vRoles}, {Name, vDisplay}, {Email, vEmail}},
	"tinyauth": {{User, vName}, {Groups, vRoles}, {Name, vDisplay}, {Email, vEmail}, {"Remote-Sub", vID}},
	"authentik": {{"X-authentik-username", vName}, {"X-authentik-groups", vRolesBar}, {"X-authentik-email", vEmail},
		{"X-authentik-name", vDisplay},
		{"X-authentik-uid", vID}},
	"oauth2-proxy": {{"X-Forwarded-User", vID}, {"X-Forwarded-Groups", vRoles}, {"X-Forwarded-Email", vEmail},
		{"X-Forwarded-Preferred-Username", vName}},
	// caddy-security divides roles by spaces
	"caddy-security": {{"X-Token-Subject", vName}, {"X-Token-User-Name", vDisplay}, {"X-Token-User-Email", vEmail},
		{"X-Token-User-Roles", vRolesSpace}},
	"vouch": {{"X-Vouch-User", vEmail}},
}

var gitea = preset{{"X-WEBAUTH-USER", vName}, {"X-WEBAUTH-EMAIL", vEmail}, {"X-WEBAUTH-FULLNAME", vDisplay}}

func presetNames() []string { return slices.Sorted(maps.Keys(presets)) }
