package rig

import (
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// Authenticator is a device with passkeys, simulated by the browser (CDP WebAuthn): a phone or laptop that can hold
// discoverable passkeys and verify its user. It is in no hurry: nothing is approved before Present(true), or a
// conditional request would sign in by itself while a test types a password.
type Authenticator struct {
	b  *Chromium
	id webauthn.AuthenticatorID
}

// NewAuthenticator plugs one in. It belongs to the tab, so NewTab has none.
func (b *Chromium) NewAuthenticator() *Authenticator {
	b.t.Helper()
	off := false // with a UI, create() waits for a window that headless never shows
	if _, err := chromedp.Call(b.Ctx, webauthn.Enable, webauthn.EnableParams{EnableUI: &off}); err != nil {
		b.t.Fatalf("enable the virtual authenticator: %v", err)
	}
	added, err := chromedp.Call(b.Ctx, webauthn.AddVirtualAuthenticator,
		webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true,
			IsUserVerified: true, DefaultBackupEligibility: true, DefaultBackupState: true,
		}})
	if err != nil {
		b.t.Fatalf("add a virtual authenticator: %v", err)
	}
	a := &Authenticator{b: b, id: added.AuthenticatorID}
	a.Present(false)
	return a
}

// Present says whether the person is there to approve what the browser asks from now on. A request that is already
// waiting stays unanswered: the next one is answered.
func (a *Authenticator) Present(yes bool) {
	a.b.t.Helper()
	_, err := chromedp.Call(a.b.Ctx, webauthn.SetAutomaticPresenceSimulation,
		webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: a.id, Enabled: yes})
	must(a.b.t, "set presence", err)
}

// Verified says whether fingerprint or PIN are right.
func (a *Authenticator) Verified(yes bool) {
	a.b.t.Helper()
	_, err := chromedp.Call(a.b.Ctx, webauthn.SetUserVerified,
		webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: yes})
	must(a.b.t, "set user verification", err)
}

// Credentials are the passkeys it holds.
func (a *Authenticator) Credentials() []*webauthn.Credential {
	a.b.t.Helper()
	held, err := chromedp.Call(a.b.Ctx, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id})
	must(a.b.t, "list passkeys", err)
	return held.Credentials
}

// Put stores a passkey again, for example a copy with an older counter.
func (a *Authenticator) Put(c *webauthn.Credential) {
	a.b.t.Helper()
	_, _ = chromedp.Call(a.b.Ctx, webauthn.RemoveCredential,
		webauthn.RemoveCredentialParams{AuthenticatorID: a.id, CredentialID: c.CredentialID})
	kept := map[string]any{"credentialId": c.CredentialID, "isResidentCredential": c.IsResidentCredential, "rpId": c.RpID,
		"privateKey": c.PrivateKey, "userHandle": c.UserHandle,
		"signCount": c.SignCount, "backupEligibility": c.BackupEligibility, "backupState": c.BackupState,
		"userName": c.UserName, "userDisplayName": c.UserDisplayName}
	// its own type names an extension that this device has not
	add := cdp.Command[map[string]any, cdp.Empty]{Method: webauthn.CommandAddCredential}
	_, err := chromedp.Call(a.b.Ctx, add, map[string]any{"authenticatorId": a.id, "credential": kept})
	must(a.b.t, "store a passkey", err)
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
