package token

import (
	"fmt"
	"slices"
	"strings"
)

// The types of access tokens: `at+jwt` is RFC 9068's and the only one of our own tokens; `JWT` is what many issuers
// write, or leave out (RFC 7519 5.1).
const (
	typ      = "at+jwt"
	typPlain = "JWT"
)

// profile is what the tokens of one issuer look like. A plain JWT is held to RFC 7519, which does not ask for typ, kid
// and iat; an at+jwt to RFC 9068, which does.
type profile struct {
	access, plain bool
	algorithms    []string
}

// ownProfile is that of our own tokens: at+jwt and RS256 alone.
var ownProfile = profile{access: true, algorithms: []string{"RS256"}}

// newProfile reads the words of the configuration. None: as our own tokens.
func newProfile(types, algs []string) (profile, error) {
	p := profile{algorithms: algs}
	for _, t := range types {
		switch t {
		case typ:
			p.access = true
		case typPlain:
			p.plain = true
		default:
			return p, fmt.Errorf("typ %q is not supported; use %s or %s", t, typ, typPlain)
		}
	}
	if len(types) == 0 {
		p.access = true
	}
	if len(algs) == 0 {
		p.algorithms = ownProfile.algorithms
	}
	for _, alg := range p.algorithms {
		if _, ok := algorithms[alg]; !ok {
			return p, fmt.Errorf("alg %q is not supported; use RS256, ES256 or EdDSA", alg)
		}
	}
	return p, nil
}

// header is what counts of a token's header.
type header struct {
	alg, kid string
	plain    bool // not marked as an access token
}

// checkHeader takes an algorithm and a type of the profile and a kid, and nothing that changes how the token is read
// (JW-01 to JW-04, JW-10). jwk, jku, x5u and x5c are not looked at: keys come from our ring or a configured issuer
// only.
func (p profile) checkHeader(h map[string]any) (header, error) {
	var out header
	out.alg = text(h, "alg")
	if !slices.Contains(p.algorithms, out.alg) {
		if _, known := algorithms[out.alg]; known {
			return out, bad("it is signed with " + out.alg + ", which is not accepted; for a trusted issuer name it: alg " +
				out.alg)
		}
		return out, bad("its alg is not accepted")
	}
	value, there := h["typ"]
	name, isText := value.(string)
	switch {
	case p.access && (name == typ || name == "application/"+typ):
	case !there || isText && strings.EqualFold(name, typPlain): // media types have no case (RFC 7515 4.1.9)
		if out.plain = true; !p.plain {
			return out, bad("its typ is JWT or missing, not at+jwt; for a trusted issuer name it: typ JWT")
		}
	default:
		return out, bad("its typ is not that of an access token")
	}
	for _, name := range []string{"crit", "b64", "zip", "enc", "cty"} {
		if _, there := h[name]; there {
			return out, bad("its header has " + name)
		}
	}
	_, there = h["kid"]
	out.kid = text(h, "kid")
	if there || !out.plain {
		if out.kid == "" || len(out.kid) > maxName {
			return out, bad("its header has no kid, or a bad one")
		}
	}
	return out, nil
}

// otherUse reports what says that a plain JWT is no access token: without at+jwt, other tokens of the same issuer look
// alike (RFC 8725 3.11). The first line of defence is the audience, since an ID token's is its client.
func otherUse(claims map[string]any) string {
	for _, name := range []string{"at_hash", "c_hash", "s_hash"} { // ID tokens (OIDC Core 3.1.3.6, 3.3.2.11)
		if _, there := claims[name]; there {
			return "it is an ID token: it has " + name
		}
	}
	if _, there := claims["events"]; there { // logout tokens (OIDC Back-Channel 2.4), security events (RFC 8417 2.2)
		return "it is an event: it has events"
	}
	for _, kind := range []string{"ID", "Refresh", "Offline", "Logout"} { // Keycloak
		if strings.EqualFold(text(claims, "typ"), kind) {
			return "it is no access token by its claim typ"
		}
	}
	if use, there := claims["token_use"]; there && use != "access" { // Amazon Cognito
		return "it is no access token by its claim token_use"
	}
	return ""
}
