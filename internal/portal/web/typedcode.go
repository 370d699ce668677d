package web

import (
	"strings"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/portal/view"
)

// Errors of a malformed code, before it is tried: it costs no attempt and discloses nothing. The words are in the
// pages' catalogue.
var (
	errCodeMissing     = identity.InvalidCode("Enter the code.")
	errCodeShape       = identity.InvalidCode("Enter the 6 digits that your app shows.")
	errRecoveryMissing = identity.InvalidCode("Enter a recovery code.")
	errDigits          = identity.InvalidCode("A code is exactly 6 digits from 0 to 9, without spaces.")
)

// TypedCode judges what was typed into a page, where users paste "123 456".
func TypedCode(method, typed string) error {
	text := ""
	if len(typed) <= 64 {
		text = strings.NewReplacer(" ", "", "-", "").Replace(strings.TrimSpace(typed))
	}
	switch {
	case method == view.MethodRecovery && text == "" && len(typed) <= 64:
		return errRecoveryMissing
	case method != view.MethodTOTP:
		return nil
	case strings.TrimSpace(typed) == "":
		return errCodeMissing
	case !sixDigits(text):
		return errCodeShape
	}
	return nil
}

// ExactCode judges what a program sends: exactly the digits (MF-04).
func ExactCode(method, code string) error {
	if method == identity.MethodTOTP && !sixDigits(code) {
		return errDigits
	}
	return nil
}

func sixDigits(s string) bool {
	if len(s) != 6 {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// CodeProblem words a refused code or passkey at its field.
func CodeProblem(e *identity.Error, method, field string) view.Problem {
	switch {
	case method == view.MethodPasskey:
		return view.Problem{Key: "problem.passkey_wrong"}
	case method == view.MethodRecovery && e.Detail != errRecoveryMissing.Detail:
		return view.Problem{Field: field, Key: "problem.recovery_wrong"}
	case e.Detail == "":
		return view.Problem{Field: field, Key: "problem.code_wrong"}
	}
	return view.Problem{Field: field, Text: e.Detail}
}
