package identity

import "time"

// Refuse returns an error with a code and a detail that is safe to show.
func Refuse(code Code, detail string) *Error { return &Error{Code: code, Detail: detail} }

// Invalid returns CodeInvalidRequest.
func Invalid(detail string) *Error { return Refuse(CodeInvalidRequest, detail) }

// InvalidCode returns CodeInvalidCode: a code, or the answer of a passkey, was not accepted.
func InvalidCode(detail string) *Error { return Refuse(CodeInvalidCode, detail) }

// NotFound returns CodeNotFound.
func NotFound(detail string) *Error { return Refuse(CodeNotFound, detail) }

// Conflict returns CodeConflict: the present state does not allow the change.
func Conflict(detail string) *Error { return Refuse(CodeConflict, detail) }

// LoginRequired returns CodeLoginRequired.
func LoginRequired(detail string) *Error { return Refuse(CodeLoginRequired, detail) }

// SessionEnded returns CodeSessionRevoked.
func SessionEnded() *Error {
	return Refuse(CodeSessionRevoked, "This session has ended. Sign in again.")
}

// InvalidToken returns CodeInvalidToken. The reason, for the log, is err: the client learns the same for every token.
func InvalidToken(err error) *Error {
	return &Error{Code: CodeInvalidToken, Detail: "The access token is not valid, has expired or was revoked.", Err: err}
}

// StepUp returns CodeStepUpRequired for what has to be proven first.
func StepUp(detail string, ask Assurance) *Error {
	return &Error{Code: CodeStepUpRequired, Detail: detail, Ask: ask}
}

// unavailableFor is how long clients wait before they try again when state could not be read or written.
const unavailableFor = 2 * time.Second

// Unavailable returns CodeStateUnavailable, to be retried after 2 s. The cause, for the log, is err.
func Unavailable(err error) *Error {
	return &Error{Code: CodeStateUnavailable, RetryAfter: unavailableFor, Err: err}
}

// Because returns a copy of e with its cause, for the log.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// RetryIn returns a copy of e that asks clients to wait for d before they try again.
func (e *Error) RetryIn(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}
