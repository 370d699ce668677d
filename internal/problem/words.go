package problem

import "github.com/truxeio/caddy-truxe/internal/identity"

// words are what a code says to the caller. They name no role, no rule and no account (R12): a disabled user reads what
// any user reads whose session has ended (PW-16).
type words struct {
	title  string // the same for each occurrence of a type (RFC 9457 3.1.4)
	detail string // what happened
	remedy string // what to do next, one sentence
}

const (
	askForAccess = "Ask whoever runs this app for access, or use another account."
	signInAgain  = "Sign in again, then send the request once more."
)

var catalogue = map[identity.Code]words{
	identity.CodeLoginRequired: {"Sign in first", "Sign in first.",
		"Sign in on the login page, or send an access token."},
	identity.CodeRoleRequired:       {"You don't have access", "This needs a role you don't have.", askForAccess},
	identity.CodePermissionRequired: {"You don't have access", "You don't have permission to do this.", askForAccess},
	identity.CodeMFARequired: {"A second factor is needed", "This needs a sign-in with a second factor.",
		"Sign in again with your second factor."},
	identity.CodeReauthRequired: {"Confirm it's you", "Confirm your password first.",
		"Confirm your password, then send the request again."},
	identity.CodePasskeyRequired: {"A passkey is needed", "This needs a sign-in with a passkey.",
		"Sign in again with your passkey."},
	identity.CodeNetworkDenied: {"Not from this network", "This is not available from your network.",
		"Try from the office network or over its VPN."},
	identity.CodeRuleDenied:     {"You don't have access", "A rule does not allow this.", askForAccess},
	identity.CodeNoRule:         {"You don't have access", "A rule does not allow this.", askForAccess},
	identity.CodeUserDisabled:   {"Sign in again", "This session has ended. Sign in again.", signInAgain},
	identity.CodeSessionRevoked: {"Sign in again", "This session has ended. Sign in again.", signInAgain},
	identity.CodeStateUnavailable: {"We can't check your sign-in",
		"We can't check your sign-in right now. Nothing was sent to the app.",
		"Wait as long as Retry-After says, then try again."},
	identity.CodeInvalidCredentials: {"Sign in", "Check your username and password.",
		"Check both for typing mistakes and try again."},
	identity.CodeInvalidCode: {"That code didn't match", "That code didn't match.",
		"Take the code that the app shows now, or use another way."},
	identity.CodeStepUpRequired: {"Confirm it's you", "This needs a recent sign-in with the factors named in acr_values.",
		"Sign in again with these factors, or confirm on the account pages, then send the request again."},
	identity.CodeRateLimited: {"Too many tries", "Too many tries. Wait, then try again.",
		"Wait as long as Retry-After says, then try again."},
	identity.CodeBusy: {"Busy right now", "Too many users are signing in at the moment. Try again shortly.",
		"Wait as long as Retry-After says, then try again."},
	identity.CodeInvalidToken: {"Token not valid", "The access token is not valid, has expired or was revoked.",
		"Get a new token and send the request again."},
	identity.CodeInvalidGrant: {"Token not valid", "The refresh token is not valid, has expired or was already used.",
		"Sign in again."},
	identity.CodeInvalidRequest: {"We can't read this request", "The request is not well formed.",
		"Compare the request with the API reference and send it again."},
	identity.CodeAmbiguousPath: {"Unclear address",
		"The address of this request can be read in more than one way, so it was refused.",
		"Check the address, or start from the app's first page."},
	identity.CodeCrossOrigin: {"Refused for your safety", "This request came from another site, so nothing was changed.",
		"If it was you, open the page here and do it again."},
	identity.CodeNotFound: {"Page not found", "There is nothing at this address.",
		"Check the address, or start from your apps."},
	identity.CodeMethodNotAllowed: {"That doesn't work here", "This address does not take that method.",
		"Use a method that the API reference names for this address."},
	identity.CodeConflict: {"Changed meanwhile", "Someone else changed this at the same time, or it exists already.",
		"Read the current state and try again."},
	identity.CodePasswordRefused: {"Choose another password", "This password can't be used.",
		"Choose a longer or less common one."},
	identity.CodeForbidden: {"You can't do that", "You don't have permission to do this.",
		"Ask whoever runs this gateway."},
	identity.CodeTooEarly: {"Send it once more", "Send this request again after the connection is set up.",
		"Send the same request again."},
	identity.CodeHTTPSRequired: {"This address needs https", "Open this address with https.",
		"Use the same address with https in front."},
	identity.CodeAppDown: {"The app is down",
		"The app behind this address does not answer. It has nothing to do with your sign-in.",
		"Try again in a moment."},
	identity.CodeMisdirected: {"No such site here", "No site of this server has the address you opened.",
		"Check the address; a proxy in front must send the Host of a site."},
	identity.CodeInternal: {"Something went wrong", "Something went wrong on our side.",
		"Try again. If it stays, tell support the reference."},
}

func wordsOf(code identity.Code) words {
	if w, ok := catalogue[code]; ok {
		return w
	}
	return catalogue[identity.CodeInternal]
}

// Title is the short name of a code's kind of problem.
func Title(code identity.Code) string { return wordsOf(code).title }

// Detail is what a code means to the caller, in plain words.
func Detail(code identity.Code) string { return wordsOf(code).detail }

// Remedy is what the caller can do about it, one sentence.
func Remedy(code identity.Code) string { return wordsOf(code).remedy }
