package problem

import "net/http"

// WriteOAuth sends the problem as a 400 with the members that OAuth clients read (RFC 6749 section 5.2): error is the
// code, error_description its detail.
func WriteOAuth(w http.ResponseWriter, p Problem) {
	p.Status = http.StatusBadRequest
	p = p.Fill()
	write(w, p, struct {
		Problem
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{p, string(p.Code), p.Detail})
}
