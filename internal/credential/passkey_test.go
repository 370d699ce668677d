package credential_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/credential/credentialtest"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

var (
	party = credential.RelyingParty{Host: "app.example.com", Origins: []string{"https://app.example.com"}, Name: "Truxe"}
	ada   = identity.User{ID: identity.NewID(), Username: "ada"}
)

func create(t testing.TB, a *credentialtest.Authenticator) (store.Passkey, error) {
	t.Helper()
	c, err := party.BeginCreate(ada, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := a.Create(t, c.Options, party.Origins[0])
	if challenge, err := credential.ChallengeOf(body); a.Lie.Challenge == "" && (err != nil || challenge != c.Challenge) {
		t.Fatalf("challenge %q, want %q: %v", challenge, c.Challenge, err)
	}
	return party.FinishCreate(ada, c.State, body, time.Now())
}

func get(t testing.TB, a *credentialtest.Authenticator, known store.Passkey) (credential.Assertion, error) {
	t.Helper()
	c, err := party.BeginGet(nil)
	if err != nil {
		t.Fatal(err)
	}
	return party.FinishGet(c.State, a.Get(t, c.Options, party.Origins[0]), func(id []byte) (store.Passkey, error) {
		if !bytes.Equal(id, known.CredentialID) {
			return store.Passkey{}, store.ErrNotFound
		}
		return known, nil
	})
}

func made(t testing.TB) (*credentialtest.Authenticator, store.Passkey) {
	t.Helper()
	a := credentialtest.New(t)
	p, err := create(t, a)
	if err != nil {
		t.Fatal(err)
	}
	return a, p
}

// MF-14 MF-15 MF-16: an honest browser is believed, and flags and counter are kept.
func TestPasskeyIsMadeAndSignsIn(t *testing.T) {
	a := credentialtest.New(t)
	a.Lie.Flags = credentialtest.FlagBE
	p, err := create(t, a)
	if err != nil || !bytes.Equal(p.CredentialID, a.ID) || p.Host != party.Host || !p.BackupEligible || p.BackedUp ||
		p.SignCount != 1 || p.UserID != ada.ID {
		t.Fatalf("%+v %v", p, err)
	}
	a.Lie.Flags = credentialtest.FlagBE | credentialtest.FlagBS
	got, err := get(t, a, p)
	if err != nil || got.Cloned || !got.BackedUp || got.Count != 2 || got.Passkey.ID != p.ID {
		t.Fatalf("%+v %v", got, err)
	}
	one, _ := party.BeginGet(nil)
	other, _ := party.BeginGet(nil)
	if raw, err := base64.RawURLEncoding.DecodeString(one.Challenge); err != nil || len(raw) < 16 ||
		one.Challenge == other.Challenge {
		t.Errorf("challenges %q %q", one.Challenge, other.Challenge)
	}
}

// MF-18: what begins a sign-in names no user, so it discloses no account; what makes a passkey asks for one that can be
// found without a name, and for verification.
func TestOptionsAskForVerificationAndNameNoUser(t *testing.T) {
	c, err := party.BeginGet(nil)
	if err != nil || bytes.Contains(c.Options, []byte("allowCredentials")) ||
		!bytes.Contains(c.Options, []byte(`"userVerification":"required"`)) {
		t.Errorf("%s %v", c.Options, err)
	}
	_, p := made(t)
	c, err = party.BeginCreate(ada, []store.Passkey{p})
	text := string(c.Options)
	for _, want := range []string{`"residentKey":"required"`, `"userVerification":"required"`, `"excludeCredentials":[{`,
		`"attestation":"none"`, `"credProps":true`, `"timeout":300000`,
		base64.RawURLEncoding.EncodeToString(p.CredentialID)} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("%s is not in %s (%v)", want, text, err)
		}
	}
}

// MF-15 WebAuthn 7.1 and 7.2: each thing that a hostile page or authenticator can change is refused.
func TestLyingBrowserOrAuthenticatorIsRefused(t *testing.T) {
	lies := map[string]credentialtest.Lie{
		"other origin":           {Origin: "https://evil.example.com"},
		"sub-domain":             {Origin: "https://x.app.example.com"},
		"other port":             {Origin: "https://app.example.com:8443"},
		"plain http":             {Origin: "http://app.example.com"},
		"other rp id":            {RPID: "example.com"},
		"other type":             {Type: "payment.get"},
		"other challenge":        {Challenge: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
		"no verification":        {NoVerification: true},
		"no presence":            {NoPresence: true},
		"backed up but may not":  {Flags: credentialtest.FlagBS},
		"in another site's page": {Client: map[string]any{"crossOrigin": true}},
		"top origin":             {Client: map[string]any{"crossOrigin": true, "topOrigin": "https://evil.example.com"}},
		"truncated":              {AuthData: func(d []byte) []byte { return d[:len(d)-3] }},
		"empty":                  {AuthData: func([]byte) []byte { return nil }},
		"reserved garbage":       {AuthData: func(d []byte) []byte { return append(d, 0xff, 0x00) }},
	}
	honest, known := made(t)
	for name, lie := range lies {
		a := credentialtest.New(t)
		a.Lie = lie
		if _, err := create(t, a); !errors.Is(err, credential.ErrPasskey) {
			t.Errorf("%s: a passkey was made: %v", name, err)
		}
		honest.Lie = lie
		if _, err := get(t, honest, known); !errors.Is(err, credential.ErrPasskey) {
			t.Errorf("%s: signed in: %v", name, err)
		}
	}
	honest.Lie = credentialtest.Lie{}
	if _, err := get(t, honest, known); err != nil {
		t.Error("control:", err)
	}
	weak := credentialtest.New(t)
	weak.Lie.Algorithm = -65535 // RS1: SHA-1
	if _, err := create(t, weak); !errors.Is(err, credential.ErrPasskey) {
		t.Error("an algorithm that was not offered:", err)
	}
}

// MF-17: a credential id of one person is refused with the handle of another, and another's key under a known id.
func TestPasskeyOfAnotherPersonIsRefused(t *testing.T) {
	a, known := made(t)
	other := identity.NewID()
	a.Lie.Handle = other[:]
	if _, err := get(t, a, known); !errors.Is(err, credential.ErrPasskey) {
		t.Error("another handle:", err)
	}
	a.Lie.Handle = []byte{}
	if _, err := get(t, a, known); !errors.Is(err, credential.ErrPasskey) {
		t.Error("no handle:", err)
	}
	thief := credentialtest.New(t)
	thief.ID, thief.Handle = known.CredentialID, known.UserID[:]
	if _, err := get(t, thief, known); !errors.Is(err, credential.ErrPasskey) {
		t.Error("another key:", err)
	}
	a.Lie = credentialtest.Lie{ID: []byte("another user's credential")}
	if _, err := get(t, a, known); !errors.Is(err, store.ErrNotFound) {
		t.Error("unknown id:", err)
	}
	elsewhere := known
	elsewhere.Host = "other.example.com"
	a.Lie = credentialtest.Lie{}
	if _, err := get(t, a, elsewhere); !errors.Is(err, credential.ErrPasskey) {
		t.Error("another host's passkey:", err)
	}
}

// MF-16 WebAuthn 6.1.1: a counter that does not grow tells of a copy; one that is always 0 tells nothing.
func TestCounterThatDoesNotGrowTellsOfACopy(t *testing.T) {
	a, known := made(t)
	known.SignCount = 9
	for count, cloned := range map[uint32]bool{0: true, 8: true, 9: true, 10: false} {
		a.Step, a.Count = 0, count
		if got, err := get(t, a, known); err != nil || got.Cloned != cloned {
			t.Errorf("counter %d: %+v %v", count, got, err)
		}
	}
	known.SignCount, a.Count = 0, 0
	if got, err := get(t, a, known); err != nil || got.Cloned {
		t.Errorf("no counter: %+v %v", got, err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// MF-19: test vector "ES256 Credential with No Attestation" of WebAuthn Level 3 section 16: its registration verifies
// when nothing is asked beyond what it has, and is refused by the rule that the user be verified, which it is not.
func TestVectorOfTheStandard(t *testing.T) {
	object := unhex(t,
		"a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b559000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220")
	client := unhex(t,
		"7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a22414d4d507434557878475453746e63647134313759447742466938767049612d7077386f4f755657345441222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a20426b5165446a646354427258426941774a544c453551227d")
	id := base64.RawURLEncoding.EncodeToString(unhex(t,
		"f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4"))
	body, err := json.Marshal(map[string]any{"id": id, "rawId": id, "type": "public-key", "response": map[string]any{
		"clientDataJSON":    base64.RawURLEncoding.EncodeToString(client),
		"attestationObject": base64.RawURLEncoding.EncodeToString(object)}})
	if err != nil {
		t.Fatal(err)
	}
	org := credential.RelyingParty{Host: "example.org", Origins: []string{"https://example.org"}, Name: "Vectors"}
	challenge := base64.RawURLEncoding.EncodeToString(unhex(t,
		"00c30fb78531c464d2b6771dab8d7b603c01162f2fa486bea70f283ae556e130"))
	if got, err := credential.ChallengeOf(body); err != nil || got != challenge {
		t.Fatal(got, err)
	}
	c, err := org.BeginCreate(ada, nil)
	if err != nil {
		t.Fatal(err)
	}
	state := func(verification string) []byte {
		var s map[string]any
		if err := json.Unmarshal(c.State, &s); err != nil {
			t.Fatal(err)
		}
		s["challenge"], s["userVerification"] = challenge, verification
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	p, err := org.FinishCreate(ada, state("preferred"), body, time.Now())
	if err != nil || len(p.CredentialID) != 32 || !p.BackupEligible || !p.BackedUp {
		t.Errorf("%+v %v", p, err)
	}
	if _, err := org.FinishCreate(ada, state("required"), body, time.Now()); !errors.Is(err, credential.ErrPasskey) {
		t.Error("its user was not verified:", err)
	}
}

func TestPasskeysNeedANameNotAnAddress(t *testing.T) {
	for host, want := range map[string]bool{"app.example.com": true, "localhost": true, "app.localhost": true,
		"192.0.2.1": false, "::1": false, "": false} {
		if credential.PasskeysPossible(host) != want {
			t.Errorf("%q: want %v", host, want)
		}
		if want {
			rp := credential.RelyingParty{Host: host, Origins: []string{"https://" + host}, Name: "x"}
			if _, err := rp.BeginGet(nil); err != nil {
				t.Error(err)
			}
		}
	}
}

// MF-19: no body panics or is taken for a proof.
func FuzzPasskeyBody(f *testing.F) {
	a, known := made(f)
	creation, err := party.BeginCreate(ada, nil)
	if err != nil {
		f.Fatal(err)
	}
	login, err := party.BeginGet(nil)
	if err != nil {
		f.Fatal(err)
	}
	good := a.Get(f, login.Options, party.Origins[0])
	fresh := credentialtest.New(f).Create(f, creation.Options, party.Origins[0])
	f.Add(good[:len(good)/2])
	f.Add(fresh[:len(fresh)-40])
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"o2NmbXRk","authenticatorData":"","signature":""}}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if bytes.Equal(body, good) || bytes.Equal(body, fresh) {
			return
		}
		_, _ = credential.ChallengeOf(body)
		_ = credential.CredentialOf(body)
		if _, err := party.FinishCreate(ada, creation.State, body, time.Now()); err != nil &&
			!errors.Is(err, credential.ErrPasskey) {
			t.Error(err)
		}
		_, err := party.FinishGet(login.State, body, func([]byte) (store.Passkey, error) { return known, nil })
		if err != nil && !errors.Is(err, credential.ErrPasskey) {
			t.Error(err)
		}
	})
}
