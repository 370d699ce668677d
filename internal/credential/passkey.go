package credential

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/store"
)

// ChallengeLife is how long a WebAuthn challenge can be answered (MF-14).
const ChallengeLife = 5 * time.Minute

// maxPasskeyBody bounds the browser's answer; the largest honest one is a few KiB.
const maxPasskeyBody = 64 << 10

// RelyingParty is whom passkeys are made for: one host, since sessions are bound to one. Every passkey is discoverable
// and its user is always verified (WebAuthn 7.2 step 17), so that each can be the only step of a sign-in.
type RelyingParty struct {
	Host    string   // folded, without port: the rp id
	Origins []string // "https://app.example.com", with a port where the browser shows one; one for each such port
	Name    string   // brand
}

// ErrPasskey says that the browser's answer does not prove anything. What was wrong with it is inside, for the log.
var ErrPasskey = errors.New("the passkey was not accepted")

// PasskeysPossible reports whether browsers can make passkeys on a host: on a name, not on an address.
func PasskeysPossible(host string) bool {
	_, err := netip.ParseAddr(host)
	return host != "" && err != nil
}

// Ceremony is a challenge for the browser. State is kept at the server until the answer comes, once.
type Ceremony struct {
	Options   json.RawMessage // {"publicKey":{…}}, as the browser's parse…OptionsFromJSON() takes it
	Challenge string          // base64url, 32 random bytes
	State     []byte
}

func (rp RelyingParty) library() (*webauthn.WebAuthn, error) {
	timeout := webauthn.TimeoutConfig{Enforce: false, Timeout: ChallengeLife, TimeoutUVD: ChallengeLife}
	return webauthn.New(&webauthn.Config{RPID: rp.Host, RPDisplayName: rp.Name, RPOrigins: rp.Origins,
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired,
			RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationRequired},
		Timeouts: webauthn.TimeoutsConfig{Login: timeout, Registration: timeout}})
}

// BeginCreate starts making a passkey for a person, who must not have one of the existing on the same device.
func (rp RelyingParty) BeginCreate(user identity.User, existing []store.Passkey) (Ceremony, error) {
	w, err := rp.library()
	if err != nil {
		return Ceremony{}, err
	}
	owner := owner{user: user, passkeys: existing}
	var exclude []protocol.CredentialDescriptor
	for _, c := range owner.WebAuthnCredentials() {
		exclude = append(exclude, c.Descriptor())
	}
	options, state, err := w.BeginRegistration(owner, webauthn.WithExclusions(exclude),
		webauthn.WithExtensions(webauthn.WithExtensionCredProps()))
	if err != nil {
		return Ceremony{}, err
	}
	return ceremony(options, state)
}

// BeginGet starts a sign-in or confirmation with a passkey. It names no person and no passkey, so its answer is the
// same for all users (MF-18). own is the challenge; nil: a random one. The same challenge has the same state.
func (rp RelyingParty) BeginGet(own []byte) (Ceremony, error) {
	w, err := rp.library()
	if err != nil {
		return Ceremony{}, err
	}
	options, state, err := w.BeginDiscoverableLogin(func(o *protocol.PublicKeyCredentialRequestOptions) error {
		o.Challenge = own
		return nil
	})
	if err != nil {
		return Ceremony{}, err
	}
	return ceremony(options, state)
}

func ceremony(options any, state *webauthn.SessionData) (Ceremony, error) {
	public, err := json.Marshal(options)
	if err != nil {
		return Ceremony{}, err
	}
	kept, err := json.Marshal(state)
	return Ceremony{Options: public, Challenge: state.Challenge, State: kept}, err
}

// ChallengeOf reads which challenge an answer is for, to find its state. It proves nothing yet.
func ChallengeOf(body []byte) (string, error) {
	var answer struct {
		Response struct {
			ClientDataJSON protocol.URLEncodedBase64 `json:"clientDataJSON"`
		} `json:"response"`
	}
	if len(body) > maxPasskeyBody {
		return "", fmt.Errorf("%w: larger than 64 KiB", ErrPasskey)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("%w: %w", ErrPasskey, err)
	}
	var client struct {
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal(answer.Response.ClientDataJSON, &client); err != nil || len(client.Challenge) < 16 ||
		len(client.Challenge) > 128 {
		return "", fmt.Errorf("%w: it names no challenge", ErrPasskey)
	}
	return client.Challenge, nil
}

// CredentialOf reads whose passkey an answer claims to be, to find the counters of its owner. It proves nothing yet.
func CredentialOf(body []byte) []byte {
	var answer struct {
		RawID protocol.URLEncodedBase64 `json:"rawId"`
	}
	// WebAuthn 4, credential ID
	if len(body) > maxPasskeyBody || json.Unmarshal(body, &answer) != nil || len(answer.RawID) > 1023 {
		return nil
	}
	return answer.RawID
}

// FinishCreate checks the answer to BeginCreate: challenge, origin, rp id, type, presence, verification and algorithm
// (WebAuthn 7.1, MF-15). Refusals are ErrPasskey.
func (rp RelyingParty) FinishCreate(user identity.User, state, body []byte,
	now time.Time) (p store.Passkey, err error) {
	defer refusePanic(&err)
	w, session, err := rp.resume(state)
	if err != nil {
		return p, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(body)
	if err != nil {
		return p, refusedPasskey(err)
	}
	if err := ownPage(parsed.Response.CollectedClientData); err != nil {
		return p, err
	}
	c, err := w.CreateCredential(owner{user: user}, session, parsed)
	if err != nil {
		return p, refusedPasskey(err)
	}
	p = store.Passkey{ID: identity.NewID(), CredentialID: c.ID, UserID: user.ID, Host: rp.Host, PublicKey: c.PublicKey,
		AAGUID:    c.Authenticator.AAGUID,
		SignCount: c.Authenticator.SignCount, BackupEligible: c.Flags.BackupEligible, BackedUp: c.Flags.BackupState,
		Created: now}
	if len(p.AAGUID) == 0 {
		p.AAGUID = make([]byte, 16)
	}
	for _, t := range c.Transport {
		if len(p.Transports) < 8 && len(t) <= 32 {
			p.Transports = append(p.Transports, string(t))
		}
	}
	return p, nil
}

// Assertion is what a passkey has proven.
type Assertion struct {
	Passkey  store.Passkey
	Count    uint32
	BackedUp bool
	// Cloned: the counter did not grow, so there may be a copy (WebAuthn 6.1.1). It proves no identity.
	Cloned bool
}

// FinishGet checks the answer to BeginGet with the passkey that find knows by its credential id (WebAuthn 7.2, MF-15,
// MF-17). Refusals are ErrPasskey; errors of find come back as they are.
func (rp RelyingParty) FinishGet(state, body []byte,
	find func(credential []byte) (store.Passkey, error)) (a Assertion, err error) {
	defer refusePanic(&err)
	w, session, err := rp.resume(state)
	if err != nil {
		return a, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(body)
	if err != nil {
		return a, refusedPasskey(err)
	}
	if err := ownPage(parsed.Response.CollectedClientData); err != nil {
		return a, err
	}
	var failed error
	_, c, err := w.ValidatePasskeyLogin(func(rawID, handle []byte) (webauthn.User, error) {
		p, err := find(rawID)
		if err != nil {
			failed = err
			return nil, err
		}
		a.Passkey = p
		if !bytes.Equal(handle, p.UserID[:]) || p.Host != rp.Host {
			return nil, errors.New("another person's passkey")
		}
		return owner{user: identity.User{ID: p.UserID}, passkeys: []store.Passkey{p}}, nil
	}, session, parsed)
	if failed != nil {
		return a, failed
	}
	if err != nil {
		return a, refusedPasskey(err)
	}
	a.Count, a.BackedUp = parsed.Response.AuthenticatorData.Counter, c.Flags.BackupState
	a.Cloned = c.Authenticator.CloneWarning
	return a, nil
}

func (rp RelyingParty) resume(state []byte) (*webauthn.WebAuthn, webauthn.SessionData, error) {
	var session webauthn.SessionData
	if err := json.Unmarshal(state, &session); err != nil {
		return nil, session, fmt.Errorf("read the state of a passkey's challenge: %w", err)
	}
	w, err := rp.library()
	return w, session, err
}

// ownPage refuses answers given inside of another site's page (WebAuthn 13.4.2).
func ownPage(c protocol.CollectedClientData) error {
	if c.CrossOrigin || c.TopOrigin != "" {
		return fmt.Errorf("%w: it was asked for inside of another site's page", ErrPasskey)
	}
	return nil
}

func refusedPasskey(err error) error {
	var detail *protocol.Error
	if errors.As(err, &detail) && detail.DevInfo != "" {
		return fmt.Errorf("%w: %s: %s", ErrPasskey, detail.Details, detail.DevInfo)
	}
	return fmt.Errorf("%w: %w", ErrPasskey, err)
}

// refusePanic turns a panic in the parsers of CBOR and keys into a refusal: their input is untrusted (MF-19).
func refusePanic(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: the parser failed: %v", ErrPasskey, r)
	}
}

// owner shows a person and their passkeys to the library.
type owner struct {
	user     identity.User
	passkeys []store.Passkey
}

// WebAuthnID is the user handle: our random id, which says nothing about the person (WebAuthn 14.6.1).
func (o owner) WebAuthnID() []byte { return o.user.ID[:] }

// WebAuthnName is shown by the browser to tell accounts apart.
func (o owner) WebAuthnName() string { return o.user.Username }

// WebAuthnDisplayName is shown beside it.
func (o owner) WebAuthnDisplayName() string {
	if o.user.Name != "" {
		return o.user.Name
	}
	return o.user.Username
}

// WebAuthnCredentials are the passkeys in the library's form.
func (o owner) WebAuthnCredentials() []webauthn.Credential {
	var list []webauthn.Credential
	for _, p := range o.passkeys {
		c := webauthn.Credential{ID: p.CredentialID, PublicKey: p.PublicKey,
			Flags: webauthn.CredentialFlags{UserPresent: true, UserVerified: true,
				BackupEligible: p.BackupEligible, BackupState: p.BackedUp},
			Authenticator: webauthn.Authenticator{AAGUID: p.AAGUID, SignCount: p.SignCount}}
		for _, t := range p.Transports {
			c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
		}
		list = append(list, c)
	}
	return list
}
