package origin

import "net/http"

// FromHere reports whether a request was made by a page of the very host that it was sent to. Browsers with Fetch
// Metadata say so themselves, and no page can write that header, so it counts also where a proxy has dropped the port
// from Host. Of others the Origin header must be what the configuration calls the host, or the address that was asked.
// Scheme and port belong to it: a page on http is not of a site on https (SE-18, RFC 6454).
func (b *Book) FromHere(r *http.Request) bool {
	if site := r.Header["Sec-Fetch-Site"]; len(site) > 0 {
		return len(site) == 1 && site[0] == "same-origin"
	}
	sent := r.Header["Origin"]
	return len(sent) == 1 && b.Here(r, sent[0])
}

// Here reports whether an origin that the client sent is what the configuration calls the host, or the address that was
// asked.
func (b *Book) Here(r *http.Request, sent string) bool {
	// It names no host, so the origin is made of Host itself: it is compared with a header of the same request.
	var asked *Book
	return b.same(r, sent) || asked.same(r, sent)
}
