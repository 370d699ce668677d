package token

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// ownPrincipal reads a token of ours. sub and sid are ids of ours, so no two spellings of one exist.
func ownPrincipal(claims map[string]any) (*identity.Principal, error) {
	jti, sid, sub := text(claims, "jti"), text(claims, "sid"), text(claims, "sub")
	for _, s := range []string{sid, sub} {
		if _, ok := identity.ParseID(s); !ok {
			return nil, bad("sub or sid")
		}
	}
	if jti == "" || len(jti) > maxName {
		return nil, bad("jti")
	}
	p := newPrincipal(claims, jti)
	p.UserID, p.SessionID, p.IssuedAt = sub, sid, issuedAt(claims)
	p.MFATime, p.PasskeyTime = unix(claims, mfaTime), unix(claims, passkeyTime)
	p.Username, p.Email = text(claims, "preferred_username"), text(claims, "email")
	p.SessionKey = identity.RevocationKey(identity.RevokeSession, sid)
	p.UserKey = identity.RevocationKey(identity.RevokeUser, sub)
	p.Roles = roleNames(texts(claims["roles"]))
	return p, nil
}

// principal reads a token of this issuer. Its users, clients, methods and assurances are apart from ours: each name
// carries the issuer, so that no rule, header or page takes one for ours. The user name is the configured subject claim
// and nothing else, since a preferred_username is often what its owner types (RFC 9068 4, OIDC Core 5.7), and an e-mail
// address counts only when the issuer says that it is verified.
func (t *Trust) principal(raw string, claims map[string]any) (*identity.Principal, error) {
	sub := text(claims, t.cfg.SubjectClaim)
	if !cleanName(sub, maxName) {
		return nil, bad("its " + t.cfg.SubjectClaim + " names no user")
	}
	jti := text(claims, "jti")
	if _, there := claims["jti"]; there && !cleanName(jti, maxName) {
		return nil, bad("its jti cannot be one")
	}
	if jti == "" { // revocable all the same, by what is signed: of an ECDSA signature there are two spellings
		sum := sha256.Sum256([]byte(raw[:strings.LastIndexByte(raw, '.')]))
		jti = hex.EncodeToString(sum[:16])
	}
	p := newPrincipal(claims, t.qualified(jti))
	p.UserID, p.Username = t.qualified(sub), t.cfg.UsernamePrefix+sub
	p.ClientID, p.ACR, p.AMR = t.qualified(p.ClientID), t.qualified(p.ACR), t.methods(p.AMR)
	if claims["email_verified"] == true {
		p.Email = text(claims, "email")
	}
	p.UserKey = identity.RevocationKey(identity.RevokeUser, p.UserID)
	p.Roles = t.roles(claims)
	return p, nil
}

// qualified returns a name of the issuer; "" stays "".
func (t *Trust) qualified(name string) string {
	if name == "" {
		return ""
	}
	return t.cfg.Issuer + "|" + name
}

// maxMethods bounds the methods of one sign-in; RFC 8176 has 20 of them.
const maxMethods = 32

// methods are names of the issuer too: whatever it calls "mfa", no second factor of ours was checked (MF-21). Half a
// list is no list.
func (t *Trust) methods(amr []string) []string {
	if len(amr) > maxMethods {
		return nil
	}
	for i, name := range amr { // a list of this token alone
		if !cleanName(name, 128) {
			return nil
		}
		amr[i] = t.qualified(name)
	}
	return amr
}

// roles are those of ours that the operator maps the token's roles to, in the order of the configuration.
func (t *Trust) roles(claims map[string]any) []string {
	if len(t.cfg.Roles) == 0 {
		return nil
	}
	theirs := roleNames(roles(claims, t.cfg.RolesClaim))
	var ours []string
	for _, m := range t.cfg.Roles {
		has := func(from string) bool { return slices.Contains(theirs, from) }
		if !slices.Contains(ours, m.Role) && slices.ContainsFunc(m.From, has) {
			ours = append(ours, m.Role)
		}
	}
	return ours
}

func newPrincipal(claims map[string]any, jti string) *identity.Principal {
	return &identity.Principal{
		Name: text(claims, "name"), TokenID: jti, ClientID: text(claims, "client_id"),
		Proof: identity.Proof{AMR: texts(claims["amr"]), ACR: text(claims, "acr"),
			AuthTime: unix(claims, "auth_time")},
		Expires: unix(claims, "exp"), Credential: identity.CredentialBearer,
		Revocable: identity.Revocable{TokenKey: identity.RevocationKey(identity.RevokeJTI, jti),
			IssuedAt: unix(claims, "iat").UnixMilli()},
	}
}

// roles follows a dotted path to a list of strings, or one string. A member whose name has the dots in it goes first.
func roles(claims map[string]any, path string) []string {
	at, there := claims[path]
	if !there {
		at = claims
		for name := range strings.SplitSeq(path, ".") {
			m, ok := at.(map[string]any)
			if !ok {
				return nil
			}
			at = m[name]
		}
	}
	if s, ok := at.(string); ok {
		return []string{s}
	}
	return texts(at)
}

// roleNames returns no role at all when one of the names cannot be a role: half a claim is not a claim (AZ-09).
func roleNames(list []string) []string {
	for _, name := range list {
		if !cleanName(name, 128) {
			return nil
		}
	}
	return list
}

// cleanName reports whether a name is not empty, bounded, and without characters that break lines or hide.
func cleanName(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029'
	})
}
