package token

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// JW-11: a token carries every claim of the contract, as RFC 9068 has them, and nothing else.
func TestTokenCarriesEveryClaim(t *testing.T) {
	r := newRig(t)
	raw := r.issue()
	header, claims := parts(t, raw)
	if want := (m{"alg": "RS256", "typ": "at+jwt", "kid": thumbprint(&ourKey().PublicKey)}); !maps.Equal(header, want) {
		t.Errorf("header %v", header)
	}
	now := float64(r.clock.now().Unix())
	want := map[string]any{"iss": ourIssuer, "sub": r.user.ID.String(), "aud": "truxe", "exp": now + 900, "iat": now,
		"iat_ms": now * 1000, "nbf": now, "sid": r.session.String(),
		"client_id": "truxe", "auth_time": now, "acr": "1", "preferred_username": "Ann", "email": "ann@example.com",
		"email_verified": false, "name": "Ann Lee"}
	for name, value := range want {
		if claims[name] != value {
			t.Errorf("%s = %v, want %v", name, claims[name], value)
		}
	}
	lists := map[string]string{"amr": `["pwd"]`, "roles": `["viewer"]`, "permissions": `[]`}
	for name, value := range lists {
		if got := mustJSON(claims[name]); got != value {
			t.Errorf("%s = %s, want %s", name, got, value)
		}
	}
	if _, ok := identity.ParseID(text(claims, "jti")); !ok {
		t.Errorf("jti = %v", claims["jti"])
	}
	if len(claims) != len(want)+len(lists)+1 {
		t.Errorf("other claims: %v", slices.Collect(maps.Keys(claims)))
	}
	p, err := r.verifier.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if p.UserID != r.user.ID.String() || p.Username != "Ann" || !p.HasRole("viewer") ||
		p.SessionID != r.session.String() || p.TokenID != claims["jti"] ||
		p.Credential != identity.CredentialBearer || p.Expires.Unix() != int64(now)+900 || p.IssuedAt != int64(now)*1000 ||
		!p.AuthTime.Equal(r.clock.now()) ||
		p.TokenKey != identity.RevocationKey(identity.RevokeJTI, p.TokenID) ||
		p.SessionKey != identity.RevocationKey(identity.RevokeSession, p.SessionID) ||
		p.UserKey != identity.RevocationKey(identity.RevokeUser, p.UserID) {
		t.Errorf("principal %+v", p)
	}
}

// JW-11: lists are lists when empty, several audiences are a list, and no token is issued that every receiver would
// refuse.
func TestTokenOfAPersonWithoutRolesAndOfOneWithTooMany(t *testing.T) {
	r := newRig(t)
	i := NewIssuer(r.ring, IssuerConfig{Issuer: func(string) string { return ourIssuer },
		Audience: []string{"truxe", "orders"}, Access: time.Minute, Now: r.clock.now})
	issued := must(i.Issue(Claims{User: identity.User{ID: r.user.ID}, SessionID: r.session.String()}))(t)
	_, claims := parts(t, issued.Token)
	if mustJSON([]any{claims["aud"], claims["amr"], claims["roles"],
		claims["permissions"]}) != `[["truxe","orders"],[],[],[]]` || claims["auth_time"] != nil {
		t.Errorf("claims %v", claims)
	}
	r.accepted("several audiences", issued.Token)
	var many []string
	for n := range 800 {
		many = append(many, fmt.Sprintf("a-rather-long-role-name-%d", n))
	}
	if _, err := i.Issue(Claims{User: identity.User{ID: r.user.ID, Roles: many},
		SessionID: r.session.String()}); err == nil {
		t.Error("a token over 16 KiB was issued")
	}
}

// JW-08: exp is required and ends to the second; nbf and iat may be a minute ahead, no more.
func TestTimesOfATokenAreHonoured(t *testing.T) {
	r := newRig(t)
	header, claims := r.good()
	now := r.clock.now().Unix()
	for name, c := range map[string]struct {
		change m
		ok     bool
	}{
		"exp in a second": {m{"exp": now + 1}, true}, "exp now": {m{"exp": now}, false},
		"exp a minute ago": {m{"exp": now - 60}, false},
		"nbf in 59 s":      {m{"nbf": now + 59}, true}, "nbf in 61 s": {m{"nbf": now + 61}, false},
		"nbf absent":  {m{"nbf": removed{}}, true},
		"iat in 59 s": {m{"iat": now + 59}, true}, "iat in 61 s": {m{"iat": now + 61}, false},
		"iat absent": {m{"iat": removed{}}, false},
		"nbf text":   {m{"nbf": "1"}, false}, "iat text": {m{"iat": "1"}, false}, "iat list": {m{"iat": []int{1}}, false},
		"nbf null":    {m{"nbf": nil}, false},
		"exp in 9999": {m{"exp": maxTime}, true}, "exp after 9999": {m{"exp": maxTime + 1}, false},
		"exp true":           {m{"exp": true}, false},
		"signed in tomorrow": {m{"auth_time": now + 86400}, false}, "auth_time text": {m{"auth_time": "now"}, false},
	} {
		raw := sign(ourKey(), header, with(claims, c.change))
		if c.ok {
			r.accepted(name, raw)
		} else {
			r.refused(name, raw)
		}
	}
	raw := r.issue()
	r.accepted("fresh", raw)
	r.clock.add(15 * time.Minute)
	r.refused("15 minutes later", raw)
}

// JW-09: iss and aud count as exact texts, and a key that is ours verifies for no other issuer.
func TestIssuerAndAudienceAreExact(t *testing.T) {
	r := newRig(t)
	header, claims := r.good()
	for _, iss := range []any{ourIssuer + "/", strings.ToUpper(ourIssuer), "http://auth.example.com", ourIssuer + ":443",
		" " + ourIssuer, "", nil, removed{}, []string{ourIssuer}, 1} {
		r.refused(fmt.Sprintf("iss %v", iss), sign(ourKey(), header, with(claims, m{"iss": iss})))
	}
	for _, aud := range []any{"Truxe", "truxe ", "", nil, removed{}, []string{}, []any{"truxe", 1}, m{"truxe": true},
		"other", []string{"other"}, 1} {
		r.refused(fmt.Sprintf("aud %v", aud), sign(ourKey(), header, with(claims, m{"aud": aud})))
	}
	r.accepted("aud list", sign(ourKey(), header, with(claims, m{"aud": []string{"other", "truxe"}})))
}

// JW-10: what else our key may sign (ID tokens, logout tokens, assertions) is no access token; a media type is exact.
func TestOnlyAccessTokensPass(t *testing.T) {
	r := newRig(t)
	header, claims := r.good()
	for _, typ := range []any{"JWT", "jwt", "id+jwt", "logout+jwt", "at+jwt ", "application/AT+JWT",
		"at+jwt; charset=utf-8", "", nil, removed{}, 1, []string{"at+jwt"}} {
		r.refused(fmt.Sprintf("typ %v", typ), sign(ourKey(), with(header, m{"typ": typ}), claims))
	}
	r.accepted("long form", sign(ourKey(), with(header, m{"typ": "application/at+jwt"}), claims))
	for _, name := range []string{"sub", "sid", "jti"} {
		for _, value := range []any{removed{}, "", nil, 1, []string{"x"}} {
			r.refused(fmt.Sprintf("%s %v", name, value), sign(ourKey(), header, with(claims, m{name: value})))
		}
	}
}

// AZ-09: a role claim of a wrong type, and a role name that can be none, give no role.
func TestRoleClaimOfWrongTypeGivesNoRole(t *testing.T) {
	r := newRig(t)
	header, claims := r.good()
	for _, value := range []any{"admin", m{"admin": true}, []any{"admin", 1}, []any{[]string{"admin"}}, nil, true,
		[]string{"admin", ""}, []string{"admin", "a\nb"},
		[]string{"admin", strings.Repeat("r", 129)}} {
		p, err := r.verifier.Verify(t.Context(), sign(ourKey(), header, with(claims, m{"roles": value})))
		if err == nil && (p.HasRole("admin") || len(p.Roles) != 0) {
			t.Errorf("%v gives %v", value, p.Roles)
		}
	}
	p, err := r.verifier.Verify(t.Context(), sign(ourKey(), header, with(claims, m{"roles": []string{"admin", "Viewer"}})))
	if err != nil || !p.HasRole("admin") || p.HasRole("viewer") {
		t.Error("accept control:", err, p)
	}
}

// JW-19: the last characters of a segment have one spelling; another that decodes to the same bytes is no token.
func TestSecondSpellingOfATokenIsRefused(t *testing.T) {
	r := newRig(t)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	tried := 0
	for pad := range 3 { // until each segment has had spare bits
		header, claims := r.good()
		seg := strings.Split(sign(ourKey(), header, with(claims, m{"x": strings.Repeat("x", pad)})), ".")
		for i := range seg {
			last := seg[i][len(seg[i])-1]
			for _, c := range []byte(alphabet) {
				other := slices.Clone(seg)
				other[i] = seg[i][:len(seg[i])-1] + string(c)
				a, _ := base64.RawURLEncoding.DecodeString(seg[i])
				b, err := base64.RawURLEncoding.DecodeString(other[i])
				if c == last || err != nil || string(a) != string(b) {
					continue
				}
				tried++
				if r.verify(strings.Join(other, ".")) == nil {
					t.Errorf("segment %d ending in %c instead of %c passes", i, c, last)
				}
			}
		}
	}
	if tried == 0 {
		t.Fatal("no token had spare bits")
	}
	r.control()
}

// JW-05 JW-19: any one changed, added or lost byte makes a token invalid.
func TestAnyChangedByteIsRefused(t *testing.T) {
	r := newRig(t)
	good := r.issue()
	r.accepted("unchanged", good)
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(good)-1).Draw(t, "at")
		c := rapid.Byte().Draw(t, "byte")
		changed := good[:at] + string([]byte{c}) + good[at+1:]
		if changed == good {
			return
		}
		for _, raw := range []string{changed, good[:at] + good[at+1:], good[:at] + string([]byte{c}) + good[at:]} {
			if _, err := r.verifier.Verify(context.Background(), raw); err == nil {
				t.Fatalf("changed at %d to %q: accepted", at, c)
			}
		}
	})
}

// JW-03 R12: a refusal says what is wrong, to the log, and repeats nothing of the token.
func TestRefusalShowsNothingOfTheToken(t *testing.T) {
	r := newRig(t)
	header, claims := r.good()
	for _, raw := range []string{sign(attackerKey(), header, claims),
		sign(ourKey(), with(header, m{"kid": "SECRETKID"}), claims),
		sign(ourKey(), header, with(claims, m{"iss": "SECRETISS"})),
		sign(ourKey(), header, `{"SECRETNAME":1,"SECRETNAME":2}`), "SECRETTEXT",
		sign(ourKey(), header, with(claims, m{"exp": "SECRETEXP"}))} {
		err := r.verify(raw)
		if err == nil {
			t.Fatal("accepted")
		}
		if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), raw[:8]) {
			t.Errorf("%v", err)
		}
	}
}

// CONTRACT 3: a token is ours by prefix or issuer, also when it is broken; an app's own token is not, even when it
// mentions us as its audience.
func TestWhoseTokenItIs(t *testing.T) {
	r := newRig(t, must(NewTrust(TrustConfig{Issuer: "https://idp.example/realms/a", JWKS: jwksFile(t, attackerKey(), "k"),
		Audience: []string{"truxe"}}))(t))
	foreign := m{"iss": "https://other.example", "sub": "1", "exp": 1}
	jwt := func(claims any) string { return sign(attackerKey(), m{"alg": "RS256", "typ": "JWT"}, claims) }
	_, claims := r.good()
	cut := r.issue()
	for name, raw := range map[string]string{
		"good": r.issue(), "expired or forged": jwt(claims), "refresh token": "trx_rt_x", "personal": "trx_pat_",
		"service": "trx_sk_abc", "trusted": jwt(m{"iss": "https://idp.example/realms/a"}),
		"no signature": enc(m{"alg": "none"}) + "." + enc(claims) + ".", "cut": cut[:len(cut)/2],
		"twice, ours first": jwt(`{"iss":"` + ourIssuer + `","iss":"https://other.example"}`),
		"twice, ours last":  jwt(`{"iss":"https://other.example","iss":"` + ourIssuer + `"}`),
		"escaped name":      jwt(`{"\u0069ss":"` + ourIssuer + `"}`),
		"escaped value":     jwt(`{"iss":"https:\/\/auth.example.com"}`),
		"escaped, twice":    jwt(`{"iss":"x","iss":"\u0068ttps:\/\/auth.example.com"}`),
		"other case":        jwt(`{"ISS":"` + ourIssuer + `"}`),
		"as a list":         jwt(`{"iss":["` + ourIssuer + `"]}`), "trailing bytes": jwt(mustJSON(claims) + "x"),
		"padding": strings.Replace(jwt(claims), ".", "=.", 1),
		"BOM":     jwt("\xef\xbb\xbf" + mustJSON(claims)), "standard alphabet": enc(m{"a": 1}) + "." +
			base64.StdEncoding.EncodeToString([]byte(`{"iss":"`+ourIssuer+`","n":"???>>>"}`)) + ".x",
		"with a stray byte": enc(m{"a": 1}) + ".!" + enc(claims) + ".x",
		"17 KiB":            jwt(with(claims, m{"x": strings.Repeat("x", 17<<10)})),
	} {
		if !r.verifier.Ours(raw) {
			t.Errorf("%s: not ours", name)
		}
		if name != "good" && r.verify(raw) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, raw := range map[string]string{
		"another issuer": jwt(foreign), "opaque": "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "empty": "", "dots": "..",
		"our issuer as audience":     jwt(with(foreign, m{"aud": ourIssuer})),
		"our issuer as a nested one": jwt(with(foreign, m{"act": m{"iss": ourIssuer}})),
		"longer issuer":              jwt(m{"iss": ourIssuer + ".evil.example"}), "no issuer": jwt(m{"sub": "x"}),
		"no JSON": jwt("hello"), "near prefix": "trx_xx_abc", "basic": "YTpi", "JWE": enc(m{"alg": "dir"}) + "..a.b.c",
	} {
		if r.verifier.Ours(raw) {
			t.Errorf("%s: taken for ours", name)
		}
	}
}

// JW-06: depth, double names at any level and other encodings are refused in claims that our own key signed.
func TestClaimsHaveOneReading(t *testing.T) {
	r := newRig(t)
	header, claims := r.good()
	text := mustJSON(claims)
	add := func(member string) string { return text[:len(text)-1] + "," + member + "}" }
	r.accepted("more claims", sign(ourKey(), header, add(`"x":{"a":[{"a":1}],"b":null}`)))
	for name, raw := range map[string]string{"double inside": add(`"x":{"a":1,"a":2}`),
		"double escaped": add(`"\u0073ub":"x"`), "deep": add(`"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64)),
		"bad UTF-8": add("\"x\":\"\xff\""), "overlong": add("\"x\":\"\xc0\xaf\""), "list": `[` + text + `]`, "null": `null`,
		"text": `"x"`, "empty": ``, "comment": text + `/**/`,
		"single quotes": strings.ReplaceAll(text, `"`, `'`), "case of exp": add(`"Exp":1`), "case of aud": add(`"AUD":"x"`),
		"comma": text[:len(text)-1] + `,}`} {
		r.refused(name, sign(ourKey(), header, raw))
	}
	var loose m // the control of this test: encoding/json takes the first one without a word
	if json.Unmarshal([]byte(add(`"x":{"a":1,"a":2}`)), &loose) != nil {
		t.Error("encoding/json became strict; the checks could be simpler")
	}
}
