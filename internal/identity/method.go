package identity

// The ways to prove who one is, as forms, API and settings name them.
const (
	MethodPassword = "password"
	MethodTOTP     = "totp"
	MethodPasskey  = "passkey"
	MethodRecovery = "recovery_code"
)
