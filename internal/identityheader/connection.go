package identityheader

import (
	"io"
	"net/http"
	"strings"
)

// SanitizeConnection keeps a client from deleting our headers: reverse_proxy drops every header that Connection names
// after we have set it (HD-02, CVE-2024-45410). Only what belongs to the connection itself stays. An upgrade to h2c is
// not passed on: the upstream would speak a protocol nobody here checks (HD-09).
func SanitizeConnection(h http.Header) {
	if up := h["Upgrade"]; len(up) > 0 && !(len(up) == 1 && strings.EqualFold(strings.TrimSpace(up[0]), "websocket")) {
		delete(h, "Upgrade")
		delete(h, "Http2-Settings")
	}
	lines := h["Connection"]
	delete(h, "Proxy-Connection")
	if len(lines) == 0 {
		return
	}
	if len(lines) == 1 {
		switch lines[0] {
		case "keep-alive", "close", "Upgrade", "upgrade", "Keep-Alive":
			return
		}
	}
	var kept []string
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			option = strings.ToLower(strings.TrimSpace(option))
			switch option {
			case "upgrade", "keep-alive", "close", "te":
				kept = append(kept, option)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(kept, ", ")}
}

// GuardTrailers keeps our names out of the request's trailers: reverse_proxy forwards trailers, and net/http merges
// undeclared ones once one is declared. They are removed when the body ends, which is when they become known.
func (s *Set) GuardTrailers(r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength >= 0 && len(r.Trailer) == 0 {
		return
	}
	s.Strip(r.Trailer)
	r.Body = &guardedBody{ReadCloser: r.Body, set: s, request: r}
}

type guardedBody struct {
	io.ReadCloser
	set     *Set
	request *http.Request
}

// Read strips the trailers as soon as they are there.
func (b *guardedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.set.Strip(b.request.Trailer)
	}
	return n, err
}
