// Package credentialtest is a WebAuthn authenticator in software, honest unless a test asks it to lie.
package credentialtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// Authenticator holds one passkey.
type Authenticator struct {
	ID     []byte
	Handle []byte // user handle, from the options of its making
	Key    *ecdsa.PrivateKey
	Count  uint32
	Step   uint32 // by how much the counter grows; 0: there is none
	Lie    Lie
}

// Lie changes what an honest browser and authenticator would say. Zero fields change nothing.
type Lie struct {
	Origin, RPID, Type, Challenge string
	Client                        map[string]any // further members of the client data, crossOrigin for one
	NoVerification, NoPresence    bool
	Flags                         byte // added
	Algorithm                     int64
	AuthData                      func([]byte) []byte
	Handle                        []byte
	ID                            []byte
}

const (
	flagUP, flagUV, flagAT = 0x01, 0x04, 0x40
	// FlagBE says that a passkey may be backed up.
	FlagBE = 0x08
	// FlagBS says that it is.
	FlagBS = 0x10
)

// New returns an authenticator with a key.
func New(t testing.TB) *Authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &Authenticator{ID: make([]byte, 32), Key: key, Step: 1}
	_, _ = rand.Read(a.ID)
	return a
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (a *Authenticator) client(kind, challenge, origin string) []byte {
	data := map[string]any{"type": or(a.Lie.Type, kind), "challenge": or(a.Lie.Challenge, challenge),
		"origin": or(a.Lie.Origin, origin), "crossOrigin": false}
	maps.Copy(data, a.Lie.Client)
	raw, _ := json.Marshal(data) // text and booleans
	return raw
}

func (a *Authenticator) authData(rpID string, flags byte, attested []byte) []byte {
	hash := sha256.Sum256([]byte(or(a.Lie.RPID, rpID)))
	flags |= flagUP | flagUV | a.Lie.Flags
	if a.Lie.NoVerification {
		flags &^= flagUV
	}
	if a.Lie.NoPresence {
		flags &^= flagUP
	}
	a.Count += a.Step
	out := append(hash[:], flags)
	out = append(binary.BigEndian.AppendUint32(out, a.Count), attested...)
	if a.Lie.AuthData != nil {
		out = a.Lie.AuthData(out)
	}
	return out
}

// Create answers options for a new passkey as a browser's toJSON() would.
func (a *Authenticator) Create(t testing.TB, options []byte, origin string) []byte {
	t.Helper()
	var o struct {
		PublicKey struct {
			Challenge string
			RP        struct{ ID string }
			User      struct{ ID string }
		}
	}
	if err := json.Unmarshal(options, &o); err != nil || o.PublicKey.RP.ID == "" {
		t.Fatalf("options %s: %v", options, err)
	}
	handle, err := base64.RawURLEncoding.DecodeString(o.PublicKey.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	a.Handle = handle
	public, err := a.Key.PublicKey.Bytes() // 4, X, Y
	if err != nil {
		t.Fatal(err)
	}
	algorithm := int64(-7)
	if a.Lie.Algorithm != 0 {
		algorithm = a.Lie.Algorithm
	}
	cose, err := cbor.Marshal(map[int64]any{1: 2, 3: algorithm, -1: 1, -2: public[1:33], -3: public[33:]})
	if err != nil {
		t.Fatal(err)
	}
	attested := append(make([]byte, 16), byte(len(a.ID)>>8), byte(len(a.ID)))
	attested = append(append(attested, a.ID...), cose...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{},
		"authData": a.authData(o.PublicKey.RP.ID, flagAT, attested)})
	if err != nil {
		t.Fatal(err)
	}
	return a.answer(t, map[string]any{"clientDataJSON": b64(a.client("webauthn.create", o.PublicKey.Challenge, origin)),
		"attestationObject": b64(object),
		"transports":        []string{"internal"}})
}

// Get answers options for a sign-in.
func (a *Authenticator) Get(t testing.TB, options []byte, origin string) []byte {
	t.Helper()
	var o struct {
		PublicKey struct{ Challenge, RPID string }
	}
	if err := json.Unmarshal(options, &o); err != nil || o.PublicKey.RPID == "" {
		t.Fatalf("options %s: %v", options, err)
	}
	client := a.client("webauthn.get", o.PublicKey.Challenge, origin)
	data := a.authData(o.PublicKey.RPID, 0, nil)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(append([]byte(nil), data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.Key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	handle := a.Handle
	if a.Lie.Handle != nil {
		handle = a.Lie.Handle
	}
	return a.answer(t, map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data),
		"signature": b64(signature), "userHandle": b64(handle)})
}

func (a *Authenticator) answer(t testing.TB, response map[string]any) []byte {
	t.Helper()
	id := a.ID
	if a.Lie.ID != nil {
		id = a.Lie.ID
	}
	raw, err := json.Marshal(map[string]any{"id": b64(id), "rawId": b64(id), "type": "public-key",
		"clientExtensionResults": map[string]any{}, "response": response})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
