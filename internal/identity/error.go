package identity

import (
	"crypto/rand"
	"errors"
	"time"
)

// Code is a stable machine-readable reason: the `code` of problem+json, of pages, audit and logs.
type Code string

// Reason codes of decisions (CONTRACT section 10).
const (
	CodeLoginRequired      Code = "login_required"
	CodeRoleRequired       Code = "role_required"
	CodePermissionRequired Code = "permission_required"
	CodeMFARequired        Code = "mfa_required"
	CodeReauthRequired     Code = "reauth_required"
	CodePasskeyRequired    Code = "passkey_required"
	CodeNetworkDenied      Code = "network_denied"
	CodeRuleDenied         Code = "rule_denied"
	CodeNoRule             Code = "no_rule"
	CodeUserDisabled       Code = "user_disabled"
	CodeSessionRevoked     Code = "session_revoked"
	CodeStateUnavailable   Code = "state_unavailable"
)

// Codes of the API and pages.
const (
	CodeInvalidCredentials Code = "invalid_credentials"
	CodeInvalidCode        Code = "invalid_code"
	CodeStepUpRequired     Code = "step_up_required"
	CodeRateLimited        Code = "rate_limited"
	CodeBusy               Code = "busy"
	CodeInvalidToken       Code = "invalid_token"
	CodeInvalidGrant       Code = "invalid_grant"
	CodeInvalidRequest     Code = "invalid_request"
	CodeAmbiguousPath      Code = "ambiguous_path"
	CodeCrossOrigin        Code = "cross_origin"
	CodeNotFound           Code = "not_found"
	CodeMethodNotAllowed   Code = "method_not_allowed"
	CodeConflict           Code = "conflict"
	CodePasswordRefused    Code = "password_refused"
	CodeForbidden          Code = "forbidden"
	CodeTooEarly           Code = "too_early"
	CodeHTTPSRequired      Code = "https_required"
	CodeAppDown            Code = "app_down"
	CodeMisdirected        Code = "misdirected"
	CodeInternal           Code = "internal_error"
)

// Error is an error a caller branches on. Detail is safe to show; Err is for the log only (R12).
type Error struct {
	Code       Code
	Detail     string
	RetryAfter time.Duration // > 0: sent as Retry-After
	Ask        Assurance     // CodeStepUpRequired: what has to be proven first
	Err        error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return string(e.Code) + ": " + e.Err.Error()
	}
	return string(e.Code) + ": " + e.Detail
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf finds the code of an error; CodeInternal when it has none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// referenceText leaves out 0 O 1 I L U, which are easily misread (UX section 3).
const referenceText = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewReference returns a new reference, which an error page shows and `caddy truxe explain` resolves: R-7KQ2-X9FD.
func NewReference() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:])
	out := []byte("R-0000-0000")
	n := 2
	for _, b := range raw {
		if int(b) >= 240 { // 240 = 8*30: no modulo bias
			continue
		}
		if n == 6 {
			n++
		}
		out[n] = referenceText[int(b)%len(referenceText)]
		if n++; n == len(out) {
			return string(out)
		}
	}
	return NewReference()
}
