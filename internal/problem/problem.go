// Package problem writes RFC 9457 problem+json answers: one shape and one table of statuses for gate and API.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Problem is the body of an error answer (CONTRACT section 7). Title, Detail and Remedy are plain words, never an
// internal text (R12).
type Problem struct {
	Type      string        `json:"type"`
	Title     string        `json:"title"`
	Status    int           `json:"status"`
	Detail    string        `json:"detail"`
	Remedy    string        `json:"remedy"` // what to do next
	Code      identity.Code `json:"code"`
	Reference string        `json:"reference"`
	LoginURL  string        `json:"login_url,omitempty"`
	// Limits names the limits that were hit (LK-11).
	Limits []string `json:"limits,omitempty"`
	// ACRValues and MaxAge say what a step-up needs (RFC 9470): "2" is a second factor, "3" a passkey; seconds.
	ACRValues string `json:"acr_values,omitempty"`
	MaxAge    int    `json:"max_age,omitempty"`
	// ConfirmURL is the page on which a person proves it.
	ConfirmURL string `json:"confirm_url,omitempty"`
	// RetryAfter is sent as the header of that name, in whole seconds, rounded up.
	RetryAfter time.Duration `json:"-"`
}

// typeBase begins every `type`: a URI that does not change. It names the code and is not meant to be fetched
// (RFC 9457 3.1.1).
const typeBase = "urn:truxe:problem:"

// Write sends the problem, with empty fields filled from the code.
func Write(w http.ResponseWriter, p Problem) {
	p = p.Fill()
	write(w, p, p)
}

// Fill returns the problem with its empty fields filled from the code.
func (p Problem) Fill() Problem {
	if p.Status == 0 {
		p.Status = Status(p.Code)
	}
	if p.Type == "" {
		p.Type = typeBase + string(p.Code)
	}
	if p.Title == "" {
		p.Title = Title(p.Code)
	}
	if p.Detail == "" {
		p.Detail = Detail(p.Code)
	}
	if p.Remedy == "" {
		p.Remedy = Remedy(p.Code)
	}
	if p.Reference == "" {
		p.Reference = identity.NewReference()
	}
	return p
}

// write sends a body with the headers of its problem. The answer is never stored (SE-16).
func write(w http.ResponseWriter, p Problem, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(Seconds(p.RetryAfter)))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(body)
}

// Seconds rounds up, as Retry-After wants whole seconds (RFC 9110 10.2.3), at least 1.
func Seconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}

// Status maps a code to its HTTP status: the one table for pages and API.
func Status(code identity.Code) int {
	switch code {
	case identity.CodeLoginRequired, identity.CodeInvalidCredentials, identity.CodeInvalidToken,
		identity.CodeSessionRevoked,
		identity.CodeReauthRequired, identity.CodeUserDisabled, identity.CodeInvalidCode, identity.CodeStepUpRequired:
		return http.StatusUnauthorized
	case identity.CodeRoleRequired, identity.CodePermissionRequired, identity.CodeMFARequired,
		identity.CodePasskeyRequired,
		identity.CodeNetworkDenied, identity.CodeRuleDenied, identity.CodeNoRule, identity.CodeForbidden,
		identity.CodeCrossOrigin, identity.CodeHTTPSRequired:
		return http.StatusForbidden
	case identity.CodeInvalidRequest, identity.CodeInvalidGrant, identity.CodeAmbiguousPath:
		return http.StatusBadRequest
	case identity.CodePasswordRefused:
		return http.StatusUnprocessableEntity
	case identity.CodeNotFound:
		return http.StatusNotFound
	case identity.CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case identity.CodeConflict:
		return http.StatusConflict
	case identity.CodeMisdirected:
		return http.StatusMisdirectedRequest
	case identity.CodeTooEarly:
		return http.StatusTooEarly
	case identity.CodeRateLimited:
		return http.StatusTooManyRequests
	case identity.CodeAppDown:
		return http.StatusBadGateway
	case identity.CodeBusy, identity.CodeStateUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
