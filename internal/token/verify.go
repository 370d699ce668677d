package token

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/strictjson"
)

const (
	maxToken = 16 << 10 // JW-15, CVE-2025-30204
	leeway   = 60 * time.Second
	maxTime  = 253402300799 // the end of the year 9999
)

// VerifierConfig of a Verifier.
type VerifierConfig struct {
	Ring     *Ring
	Issuers  []string // every `iss` that our own tokens may have
	Audience []string // our own
	Trust    []*Trust
	Now      func() time.Time
}

// Verifier judges access tokens.
type Verifier struct {
	cfg    VerifierConfig
	own    map[string]bool
	trust  map[string]*Trust
	parser *jwt.Parser
}

// NewVerifier makes a verifier.
func NewVerifier(cfg VerifierConfig) (*Verifier, error) {
	v := &Verifier{cfg: cfg, own: map[string]bool{}, trust: map[string]*Trust{}}
	for _, iss := range cfg.Issuers {
		v.own[iss] = true
	}
	for _, t := range cfg.Trust {
		if v.own[t.cfg.Issuer] || v.trust[t.cfg.Issuer] != nil {
			return nil, errors.New("trust " + t.cfg.Issuer + ": this issuer is our own or stands twice")
		}
		v.trust[t.cfg.Issuer] = t
	}
	v.parser = jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithStrictDecoding(),
		jwt.WithIssuedAt(), jwt.WithTimeFunc(cfg.Now))
	return v, nil
}

// bad is every refusal; detail is for the log.
func bad(detail string) error {
	return &identity.Error{Code: identity.CodeInvalidToken, Detail: "The access token is not valid, has expired or was revoked.", Err: errors.New(detail)}
}

// known are the names of claims and header members that are read; another spelling of one of them is refused, since a
// lenient reader would take it (JW-06).
var known = []string{"alg", "typ", "kid", "crit", "b64", "zip", "enc", "cty", "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "client_id", "auth_time", "amr",
	"acr", "roles", "permissions", "preferred_username", "email", "email_verified", "name"}

// segments splits a compact JWS: three parts of base64url without padding, in canonical form (JW-05, JW-19).
func segments(raw string) (head, claims []byte, err error) {
	if len(raw) == 0 || len(raw) > maxToken {
		return nil, nil, bad("length")
	}
	dots := 0
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == '.':
			dots++
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return nil, nil, bad("character")
		}
	}
	if dots != 2 {
		return nil, nil, bad("segments")
	}
	parts := strings.SplitN(raw, ".", 3)
	strict := base64.RawURLEncoding.Strict()
	if head, err = strict.DecodeString(parts[0]); err != nil {
		return nil, nil, bad("header encoding")
	}
	if claims, err = strict.DecodeString(parts[1]); err != nil {
		return nil, nil, bad("claims encoding")
	}
	if sig, err := strict.DecodeString(parts[2]); err != nil || len(sig) == 0 {
		return nil, nil, bad("signature encoding")
	}
	return head, claims, nil
}

// object reads one strict JSON object.
func object(raw []byte) (map[string]any, error) {
	var m map[string]any
	if err := strictjson.Decode(raw, &m, strictjson.Options{AllowUnknown: true}); err != nil || m == nil {
		return nil, bad("not one strict JSON object")
	}
	for name := range m {
		if !slices.Contains(known, name) && slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			return nil, bad("a member name in another case")
		}
	}
	return m, nil
}

// Verify judges a token. All refusals are *identity.Error with CodeInvalidToken, or CodeStateUnavailable when the keys of
// a trusted issuer cannot be had.
func (v *Verifier) Verify(ctx context.Context, raw string) (*identity.Principal, error) {
	head, body, err := segments(raw)
	if err != nil {
		return nil, err
	}
	h, err := object(head)
	if err != nil {
		return nil, err
	}
	claims, err := object(body)
	if err != nil {
		return nil, err
	}
	kid, err := checkHeader(h)
	if err != nil {
		return nil, err
	}
	iss, _ := claims["iss"].(string)
	trust := v.trust[iss]
	if !v.own[iss] && trust == nil {
		return nil, bad("issuer")
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		if err := checkTime(claims, name, name == "exp"); err != nil {
			return nil, err
		}
	}
	key, audience, err := v.key(ctx, trust, kid)
	if err != nil {
		return nil, err
	}
	token, err := v.parser.Parse(raw, func(*jwt.Token) (any, error) { return key, nil })
	if err != nil || !token.Valid {
		return nil, bad("signature or time")
	}
	if !hasAudience(claims["aud"], audience) {
		return nil, bad("audience")
	}
	if trust != nil {
		return trust.principal(raw, claims)
	}
	return ownPrincipal(iss, claims)
}

// checkHeader takes RS256, typ at+jwt and a kid, and nothing that changes how the token is read (JW-01 to JW-04, JW-10).
// jwk, jku, x5u and x5c are not looked at: keys come from our ring or a configured issuer only.
func checkHeader(h map[string]any) (kid string, err error) {
	if h["alg"] != "RS256" {
		return "", bad("alg")
	}
	if t, _ := h["typ"].(string); t != typ && t != "application/"+typ {
		return "", bad("typ")
	}
	for _, name := range []string{"crit", "b64", "zip", "enc", "cty"} {
		if _, there := h[name]; there {
			return "", bad(name)
		}
	}
	kid, _ = h["kid"].(string)
	if kid == "" || len(kid) > 256 {
		return "", bad("kid")
	}
	return kid, nil
}

// checkTime takes a finite number in the years 1970 to 9999 (JW-08).
func checkTime(claims map[string]any, name string, required bool) error {
	value, there := claims[name]
	if !there {
		if required {
			return bad(name + " is missing")
		}
		return nil
	}
	f, ok := value.(float64)
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) || f < 0 || f > maxTime {
		return bad(name)
	}
	return nil
}

func (v *Verifier) key(ctx context.Context, trust *Trust, kid string) (*rsa.PublicKey, []string, error) {
	if trust != nil {
		key, err := trust.key(ctx, kid)
		return key, trust.cfg.Audience, err
	}
	if key := v.cfg.Ring.public(kid); key != nil {
		return key, v.cfg.Audience, nil
	}
	return nil, nil, bad("unknown kid")
}

// hasAudience wants one of ours, exactly (JW-09).
func hasAudience(value any, ours []string) bool {
	switch aud := value.(type) {
	case string:
		return slices.Contains(ours, aud)
	case []any:
		hit := false
		for _, one := range aud {
			s, ok := one.(string)
			if !ok {
				return false
			}
			hit = hit || slices.Contains(ours, s)
		}
		return hit
	}
	return false
}

// texts reads a list of strings; anything else is no list (AZ-09).
func texts(value any) []string {
	list, ok := value.([]any)
	if !ok || len(list) > 1000 {
		return nil
	}
	var out []string
	for _, one := range list {
		s, ok := one.(string)
		if !ok {
			return nil
		}
		out = append(out, s)
	}
	return out
}

func text(claims map[string]any, name string) string {
	s, _ := claims[name].(string)
	return s
}

func unix(claims map[string]any, name string) time.Time {
	f, _ := claims[name].(float64)
	return time.Unix(int64(f), 0)
}

// ownPrincipal reads a token of ours. jti, sid and sub are ids of ours.
func ownPrincipal(_ string, claims map[string]any) (*identity.Principal, error) {
	jti, sid, sub := text(claims, "jti"), text(claims, "sid"), text(claims, "sub")
	for _, s := range []string{sid, sub} {
		if _, ok := identity.ParseID(s); !ok {
			return nil, bad("sub or sid")
		}
	}
	if jti == "" || len(jti) > 256 {
		return nil, bad("jti")
	}
	p := principal(claims, jti)
	p.UserID, p.SessionID = sub, sid
	p.SessionKey = identity.RevocationKey(identity.RevokeSession, sid)
	p.UserKey = identity.RevocationKey(identity.RevokeUser, sub)
	return p, nil
}

func principal(claims map[string]any, jti string) *identity.Principal {
	return &identity.Principal{
		Username: text(claims, "preferred_username"), Email: text(claims, "email"), Name: text(claims, "name"), Roles: texts(claims["roles"]),
		TokenID: jti, ClientID: text(claims, "client_id"), AMR: texts(claims["amr"]), ACR: text(claims, "acr"), AuthTime: unix(claims, "auth_time"),
		Expires: unix(claims, "exp"), Credential: identity.CredentialBearer, TokenKey: identity.RevocationKey(identity.RevokeJTI, jti),
		IssuedAt: unix(claims, "iat").UnixMilli(),
	}
}

// Ours tells whether a bearer value is ours to judge: it has a prefix of ours, or it is shaped like a JWT and any reading
// of its claims names an issuer we know. A broken token of ours is ours, and refused.
func (v *Verifier) Ours(raw string) bool {
	for _, prefix := range []string{secret.PrefixRefresh, secret.PrefixPersonal, secret.PrefixService} {
		if strings.HasPrefix(raw, prefix) {
			return true
		}
	}
	if len(raw) > maxToken {
		return false
	}
	_, rest, ok := strings.Cut(raw, ".")
	if !ok {
		return false
	}
	middle, _, ok := strings.Cut(rest, ".")
	if !ok {
		return false
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(middle, "="))
	if err != nil {
		if body, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(middle, "=")); err != nil {
			return false
		}
	}
	return v.namesIssuer(body)
}

// namesIssuer looks for the texts of our issuers among the claims, escaped slashes and letters included. Looking for the
// text rather than parsing keeps a token with two `iss`, or broken JSON, from being taken for a stranger's.
func (v *Verifier) namesIssuer(body []byte) bool {
	s := string(body)
	if strings.Contains(s, `\`) {
		s = unescape(s)
	}
	if !strings.Contains(s, "iss") && !strings.Contains(strings.ToLower(s), "iss") {
		return false
	}
	for iss := range v.own {
		if strings.Contains(s, `"`+iss+`"`) {
			return true
		}
	}
	for iss := range v.trust {
		if strings.Contains(s, `"`+iss+`"`) {
			return true
		}
	}
	return false
}

// unescape resolves the escapes of JSON strings, wherever they stand.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if s[i] == 'u' && i+4 < len(s) {
			n := 0
			for _, c := range []byte(s[i+1 : i+5]) {
				n = n<<4 | strings.IndexByte("0123456789abcdef", c|0x20)&15
			}
			b.WriteRune(rune(n))
			i += 4
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
