package audit

// The events.
const (
	AuthnLoginSuccess   = "authn_login_success"
	AuthnLoginFail      = "authn_login_fail"
	AuthnLoginLock      = "authn_login_lock"
	AuthnPasswordChange = "authn_password_change"
	AuthnTokenCreated   = "authn_token_created"
	AuthnTokenRevoked   = "authn_token_revoked"
	AuthnTokenReuse     = "authn_token_reuse"
	AuthnMFARequired    = "authn_mfa_required"
	AuthnMFAFail        = "authn_mfa_fail"
	AuthnMFAConfirmed   = "authn_mfa_confirmed"
	AuthnMFAEnabled     = "authn_mfa_enabled"
	AuthnMFARemoved     = "authn_mfa_removed"
	AuthnMFAChanged     = "authn_mfa_changed"
	AuthnMFAReset       = "authn_mfa_reset"
	RecoveryUsed        = "authn_mfa_recovery_used"
	RecoveryRenewed     = "authn_mfa_recovery_renewed"
	PasskeySuspect      = "authn_mfa_passkey_suspect"
	DeviceTrusted       = "authn_mfa_device_trusted"
	DeviceForgotten     = "authn_mfa_device_forgotten"
	AuthzFail           = "authz_fail"
	AuthzChange         = "authz_change"
	PrivilegeChanged    = "privilege_permissions_changed"
	UserCreated         = "user_created"
	UserUpdated         = "user_updated"
	UserDisabled        = "user_disabled"
	UserEnabled         = "user_enabled"
	UserDeleted         = "user_deleted"
	UserExported        = "user_exported"
	SessionCreated      = "session_created"
	SessionRenewed      = "session_renewed"
	SessionLogout       = "session_logout"
	SessionRevoked      = "session_revoked"
	SetupLinkCreated    = "setup_link_created"
	KeyRotated          = "key_rotated"
	Gap                 = "audit_gap"
)

// Vocabulary maps each event to its name in the OWASP logging vocabulary, "" for an addition of ours (AU-02). An event
// outside it is refused when it is appended (F33).
var Vocabulary = map[string]string{
	AuthnLoginSuccess:   "authn_login_success",
	AuthnLoginFail:      "authn_login_fail",
	AuthnLoginLock:      "authn_login_lock",
	AuthnPasswordChange: "authn_password_change",
	AuthnTokenCreated:   "authn_token_created",
	AuthnTokenRevoked:   "authn_token_revoked",
	AuthnTokenReuse:     "authn_token_reuse",
	AuthzFail:           "authz_fail",
	AuthzChange:         "authz_change",
	PrivilegeChanged:    "privilege_permissions_changed",
	UserCreated:         "user_created",
	UserUpdated:         "user_updated",
	UserDeleted:         "user_deleted",
	SessionCreated:      "session_created",
	SessionRenewed:      "session_renewed",
	SessionLogout:       "session_logout",

	// OWASP has no name for these. user_archived would say that a disabled account is put away; it may come back.
	UserDisabled:      "",
	UserEnabled:       "",
	UserExported:      "", // a user has downloaded their own data
	SessionRevoked:    "", // ended other than by its holder's logout
	SetupLinkCreated:  "",
	KeyRotated:        "",
	AuthnMFARequired:  "", // the first step is done, the second one is asked for
	AuthnMFAFail:      "",
	AuthnMFAConfirmed: "", // proven again within a session
	AuthnMFAEnabled:   "",
	AuthnMFARemoved:   "",
	AuthnMFAChanged:   "", // renamed, or another one is asked for first
	AuthnMFAReset:     "", // all factors, by an administrator
	RecoveryUsed:      "",
	RecoveryRenewed:   "",
	PasskeySuspect:    "", // its counter went back: there may be a copy
	DeviceTrusted:     "",
	DeviceForgotten:   "",
	Gap:               "", // events were lost, or the file could not be written for a time
}
