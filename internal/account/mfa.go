package account

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/store"
)

var errSkeleton = errors.New("not built yet")

// MFARule says who must have a second factor (`mfa required [for role <role...>]`). The zero value: nobody.
type MFARule struct {
	Required bool
	Roles    []string // empty with Required: everybody
}

// For tells whether a person must have a second factor.
func (m MFARule) For(u identity.User) bool {
	return m.Required && (len(m.Roles) == 0 || slices.ContainsFunc(m.Roles, u.HasRole))
}

// HalfKey names a half sign-in.
type HalfKey [32]byte

// BrowserHalf is the half sign-in of the browser with this flow cookie (MF-09).
func BrowserHalf(flow string) HalfKey { return sha256.Sum256([]byte("truxe half sign-in:" + flow)) }

// APIHalf is the half sign-in of an mfa_token; false for what cannot be one.
func APIHalf(token string) (HalfKey, bool) {
	hash, ok := secret.ParseSessionSecret(token)
	return HalfKey(hash), ok
}

// HalfLife is how long the second step may take (MF-09).
const HalfLife = 5 * time.Minute

// HalfTries is how many codes one half sign-in may try (MF-05).
const HalfTries = 5

// TrustLife is how long a trusted browser is not asked for a second factor (MF-22).
const TrustLife = 30 * 24 * time.Hour

// Half is a sign-in whose first step is done: nobody is signed in by it (R6).
type Half struct {
	User     identity.User
	Methods  []string // what completes it on this host, best first (the person's own choice before others)
	Enrol    []string // not empty: a second factor is required and there is none; these can be set up on this host
	Remember bool
	Tries    int // codes that may still be tried
	Expires  time.Time
}

// HalfOf reads a half sign-in. One that is gone, expired, or of another host is CodeLoginRequired.
func (a *Accounts) HalfOf(ctx context.Context, key HalfKey, host string) (Half, error) {
	return Half{}, errSkeleton
}

// StartOver ends a half sign-in. None is no error.
func (a *Accounts) StartOver(ctx context.Context, key HalfKey) error { return errSkeleton }

// SecondStep completes a half sign-in.
type SecondStep struct {
	Key     HalfKey
	Method  string          // identity.MethodTOTP, MethodRecovery or MethodPasskey
	Code    string          // of TOTP and recovery, as typed
	Passkey json.RawMessage // the browser's answer to BeginPasskey with PasskeySecond (Enrol: PasskeyCreate)
	Bound   string          // what the challenge was bound to, as in PasskeyBegin
	// Enrol: the code or passkey is of the factor that is being set up within this sign-in (R6).
	Enrol   bool
	Name    string // of a passkey that is made
	Trust   bool   // do not ask this browser again for TrustLife
	Device  string // value of the device cookie
	Address netip.Addr
	By      By
}

// Complete takes the second step: of racing calls one wins and starts the session. A wrong or used code is
// CodeInvalidCode, with words that fit the page; too many tries CodeRateLimited; a half sign-in that is gone or has no
// tries left CodeLoginRequired.
func (a *Accounts) Complete(ctx context.Context, in SecondStep) (SignedIn, error) {
	return SignedIn{}, errSkeleton
}

// What a passkey's challenge is for.
const (
	PasskeySignIn  = "sign_in" // the only step of a sign-in
	PasskeySecond  = "second"  // of a half sign-in
	PasskeyConfirm = "confirm" // step-up
	PasskeyCreate  = "create"  // a new one, of a session or of a half sign-in that must enrol
)

// PasskeyBegin asks for a challenge: one use, ChallengeLife, bound to the browser or session that asked (MF-14).
type PasskeyBegin struct {
	For   string
	Host  string // folded; the relying party
	Bound string // sign-in and second step: value of the flow cookie or mfa_token; confirm and create: the session's id
	// Half names the half sign-in of PasskeySecond, and of PasskeyCreate within one; nil otherwise.
	Half *HalfKey
	By   By // PasskeyConfirm and PasskeyCreate: who is signed in
}

// BeginPasskey gives the options for the browser: {"publicKey":{…}}. PasskeyCreate of a session asks CheckFresh first.
// A host that cannot have passkeys is CodeInvalidRequest with the reason.
func (a *Accounts) BeginPasskey(ctx context.Context, in PasskeyBegin) (json.RawMessage, error) {
	return nil, errSkeleton
}

// PasskeyTry is a sign-in with a passkey alone.
type PasskeyTry struct {
	Answer   json.RawMessage
	Bound    string
	Device   string
	Remember bool
	Kind     string
	Address  netip.Addr
	By       By
}

// UnknownPasskey is inside the error of a passkey that nobody has: the page can tell the browser to hide it.
type UnknownPasskey struct{ CredentialID string } // base64url

func (e *UnknownPasskey) Error() string { return "nobody has this passkey" }

// SignInWithPasskey starts a session: a passkey that verified its user is both steps. Refusals are
// CodeInvalidCredentials, alike for unknown, disabled and wrong.
func (a *Accounts) SignInWithPasskey(ctx context.Context, in PasskeyTry) (SignedIn, error) {
	return SignedIn{}, errSkeleton
}

// ConfirmStep proves one factor again within a session.
type ConfirmStep struct {
	Method   string // MethodPassword, MethodTOTP or MethodPasskey
	Password string
	Code     string
	Passkey  json.RawMessage
	Address  netip.Addr
	By       By
}

// ConfirmWith checks a factor, and renews the session's secret and what it has proven (SE-02). It gives the cookie's new
// value. A bearer session (API) keeps its secret and gets no cookie; its next refresh tells what was proven.
func (a *Accounts) ConfirmWith(ctx context.Context, in ConfirmStep) (cookie string, err error) {
	return "", errSkeleton
}

// ConfirmMethods gives the methods with which the caller can meet ask on this host, best first; or the factor that is
// missing (MethodTOTP for any second factor, MethodPasskey).
func (a *Accounts) ConfirmMethods(ctx context.Context, by By, ask identity.Assurance, host string) (methods []string, missing string, err error) {
	return nil, "", errSkeleton
}

// Factors is what a person has beside the password, as seen from a host.
func (a *Accounts) Factors(ctx context.Context, user identity.ID, host string) (store.Factors, error) {
	return store.Factors{}, errSkeleton
}

// FreshFor is how recently a factor must have been proven to change factors or end sessions (MF-13, SE-14).
const FreshFor = 5 * time.Minute

// CheckFresh asks for a sign-in or confirmation within FreshFor with a factor at least as strong as the caller's best
// one: a second factor where there is one (MF-13). Otherwise CodeStepUpRequired with Ask.
func (a *Accounts) CheckFresh(ctx context.Context, p *identity.Principal) error { return errSkeleton }

// TOTPSetup is an authenticator app that is being set up.
type TOTPSetup struct {
	Key     credential.TOTPKey
	URI     string
	Expires time.Time
}

// Changed is what a change of factors leads to: the session's secret is new (cookie "" for a bearer session), and Codes
// are recovery codes that were made with the first factor.
type Changed struct {
	Cookie string
	Codes  []string
}

// BeginTOTP gives the key that is being set up, the same one until it expires after 10 minutes (MF-07). It asks CheckFresh.
func (a *Accounts) BeginTOTP(ctx context.Context, by By) (TOTPSetup, error) {
	return TOTPSetup{}, errSkeleton
}

// BeginTOTPWithin is BeginTOTP for a half sign-in that must enrol (R6).
func (a *Accounts) BeginTOTPWithin(ctx context.Context, key HalfKey, host string) (TOTPSetup, error) {
	return TOTPSetup{}, errSkeleton
}

// ConfirmTOTP activates the key with its first right code; an earlier app stops working. A wrong code is CodeInvalidCode;
// drift, when not zero, is by how much the phone's clock seems to be off.
func (a *Accounts) ConfirmTOTP(ctx context.Context, by By, address netip.Addr, code string) (c Changed, drift time.Duration, err error) {
	return Changed{}, 0, errSkeleton
}

// RemoveTOTP removes the authenticator app. The last factor of somebody who must have one is CodeConflict.
func (a *Accounts) RemoveTOTP(ctx context.Context, by By) (Changed, error) {
	return Changed{}, errSkeleton
}

// NewRecoveryCodes makes a new set; the old one is void. It asks CheckFresh. Without a second factor it is CodeConflict.
func (a *Accounts) NewRecoveryCodes(ctx context.Context, by By) (Changed, error) {
	return Changed{}, errSkeleton
}

// ShownCodes gives the codes that were just made, while they may be shown to this session: 10 minutes or until HideCodes.
func (a *Accounts) ShownCodes(ctx context.Context, session identity.ID) []string { return nil }

// HideCodes ends the showing.
func (a *Accounts) HideCodes(ctx context.Context, session identity.ID) error { return errSkeleton }

// ListPasskeys gives a person's passkeys, oldest first.
func (a *Accounts) ListPasskeys(ctx context.Context, user identity.ID) ([]store.Passkey, error) {
	return nil, errSkeleton
}

// AddPasskey takes the browser's answer to BeginPasskey with PasskeyCreate. Name "" is chosen from its kind and the browser.
func (a *Accounts) AddPasskey(ctx context.Context, by By, answer json.RawMessage, name string) (store.Passkey, Changed, error) {
	return store.Passkey{}, Changed{}, errSkeleton
}

// RenamePasskey changes a passkey's name. It asks CheckFresh.
func (a *Accounts) RenamePasskey(ctx context.Context, by By, id identity.ID, name string) error {
	return errSkeleton
}

// RemovePasskey removes a passkey; it asks CheckFresh. The last way to sign in, or the last factor of somebody who must
// have one, is CodeConflict with the reason.
func (a *Accounts) RemovePasskey(ctx context.Context, by By, id identity.ID) (Changed, error) {
	return Changed{}, errSkeleton
}

// TrustedDevices lists the browsers that are not asked for a second factor.
func (a *Accounts) TrustedDevices(ctx context.Context, user identity.ID) ([]store.Device, error) {
	return nil, errSkeleton
}

// ForgetDevice ends the trust in one browser, or with a zero id in all. current is the value of this browser's device cookie.
func (a *Accounts) ForgetDevice(ctx context.Context, by By, id identity.ID) error { return errSkeleton }

// DeviceID tells which of a person's devices a device cookie is; zero for none.
func (a *Accounts) DeviceID(ctx context.Context, user identity.ID, cookie string) identity.ID {
	return identity.ID{}
}

// SetPreferred keeps the method that is asked for first; "" is the best one.
func (a *Accounts) SetPreferred(ctx context.Context, by By, method string) error { return errSkeleton }

// Activity gives what happened to a person's account, newest first: rows before a sequence number (0: the newest).
func (a *Accounts) Activity(ctx context.Context, user identity.ID, before int64, limit int) ([]store.AuditRow, error) {
	return nil, errSkeleton
}

// UpdateProfile changes one's own name and e-mail address. A managed account is CodeForbidden; a new address asks CheckFresh.
func (a *Accounts) UpdateProfile(ctx context.Context, by By, name, email string) error {
	return errSkeleton
}

// ResetMFA removes every factor of a person, for the owner of the machine or an administrator; their sessions end.
func (a *Accounts) ResetMFA(ctx context.Context, by By, user identity.ID) error { return errSkeleton }

// CatchUp brings what was proven at the single sign-on host to the session on this one, with a ticket (step-up across
// hosts). The ticket of another person or sign-in starts a session of its own, as SignInWithTicket does.
func (a *Accounts) CatchUp(ctx context.Context, code, host string, flow [32]byte, by By) (SignedIn, error) {
	return SignedIn{}, errSkeleton
}
