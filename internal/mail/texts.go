package mail

// The notices.
const (
	PasswordChanged = "password_changed"
	FactorAdded     = "factor_added"
	FactorReplaced  = "factor_replaced"
	FactorRemoved   = "factor_removed"
	FactorsReset    = "factors_reset"
	RecoveryUsed    = "recovery_used"
	RecoveryRenewed = "recovery_renewed"
	PasskeySuspect  = "passkey_suspect"
	DeviceTrusted   = "device_trusted"
	AddressChanged  = "address_changed"
	NewBrowser      = "new_browser"
	Locked          = "locked"
)

// words are a notice's own: everything else is the same for all. by has those that differ by the factor; what is empty
// there stays.
type words struct {
	subject, lead, advice string
	page                  string // below the gateway's base path
	by                    map[string]words
}

func (w words) or(other words) words {
	for _, f := range []struct {
		to   *string
		from string
	}{{&w.subject, other.subject}, {&w.lead, other.lead}, {&w.advice, other.advice}, {&w.page, other.page}} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
	return w
}

const (
	totp, passkey = "totp", "passkey" // identity.Method…

	activity = "account/activity"
	sessions = "account/sessions"

	takenOver = "Someone else may be in your account. See what happened, end the sessions that are not yours and change your password:"
)

var notices = map[string]words{
	PasswordChanged: {subject: "Your {brand} password was changed", lead: "The password of your account was changed.",
		page: activity, advice: takenOver},
	FactorAdded: {subject: "A second factor was added to your {brand} account",
		lead: "A second factor was added to your account.", page: activity, advice: takenOver,
		by: map[string]words{
			totp: {subject: "An authenticator app was added to your {brand} account",
				lead: "An authenticator app was set up for your account. Its codes can now be used to sign in."},
			passkey: {subject: "A passkey was added to your {brand} account",
				lead: "A passkey was added to your account. It can now be used to sign in."},
		}},
	FactorReplaced: {subject: "The authenticator app of your {brand} account was replaced",
		lead: "Another authenticator app was set up for your account. The codes of the old one do not work any more.",
		page: activity, advice: takenOver},
	FactorRemoved: {subject: "A second factor was removed from your {brand} account",
		lead: "A second factor was removed from your account.", page: activity, advice: takenOver,
		by: map[string]words{
			totp: {subject: "The authenticator app of your {brand} account was removed",
				lead: "The authenticator app of your account was removed. Its codes do not work any more."},
			passkey: {subject: "A passkey was removed from your {brand} account",
				lead: "A passkey was removed from your account. It cannot be used any more."},
		}},
	FactorsReset: {subject: "All second factors of your {brand} account were removed",
		lead: "Every authenticator app, passkey and recovery code of your account was removed, and you were signed out everywhere.", page: activity,
		advice: "If you have not asked for this, ask whoever runs this site. What happened to your account:"},
	RecoveryUsed: {subject: "A recovery code was used for your {brand} account",
		lead:   "Someone signed in to your account with one of your recovery codes. That code does not work any more.",
		page:   "account/recovery-codes",
		advice: "Someone has your password and your recovery codes. Change your password and make new codes, which void the old ones:"},
	RecoveryRenewed: {subject: "New recovery codes were made for your {brand} account",
		lead: "New recovery codes were made for your account. The old ones do not work any more.",
		page: activity, advice: takenOver},
	PasskeySuspect: {subject: "A passkey of your {brand} account may have been copied",
		lead:   "A passkey of your account was used in a way that suggests there is a copy of it. That sign-in was refused.",
		page:   "account/passkeys",
		advice: "Remove this passkey and add it anew if you did not expect this:"},
	DeviceTrusted: {subject: "A browser is trusted for your {brand} account",
		lead:   "Someone signed in to your account and chose that this browser is not asked for a second factor for 30 days.",
		page:   "account/devices",
		advice: "End the trust in this browser and change your password:"},
	AddressChanged: {subject: "The e-mail address of your {brand} account was changed",
		lead: "Your account has another e-mail address now. Notices do not come to this one any more.", page: activity,
		advice: takenOver},
	NewBrowser: {subject: "New sign-in to your {brand} account",
		lead: "Your account was signed in to from a browser that had not been used for it before.", page: sessions,
		advice: "End that session and change your password:"},
	Locked: {subject: "Too many wrong passwords for your {brand} account",
		lead:   "There have been so many wrong passwords for your account that new browsers cannot sign in with the password any more. Browsers you have signed in with before still can, and passkeys work.",
		page:   activity,
		advice: "Your password has not been guessed. A sign-in from a browser you have used before ends this. What was tried:",
		by: map[string]words{
			totp: {subject: "Too many wrong codes for your {brand} account",
				lead:   "There have been so many wrong codes for your account that new browsers cannot sign in with your authenticator app any more. Browsers you have signed in with before still can, and recovery codes and passkeys work.",
				advice: "Whoever tried knows your password. Change it from a browser you have used before. What was tried:"},
		}},
}
