package view

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/truxeio/caddy-truxe/internal/loopback"
)

// RecoveryFile answers with the codes as a text file to keep: whose they are, where and how they are used. It is never
// stored on the way (SecurityHeaders).
func (r *Renderer) RecoveryFile(w http.ResponseWriter, req *http.Request, p RecoveryCodes) {
	l, _ := r.language(req)
	var b strings.Builder
	line := func(s string) { b.WriteString(oneLine(s) + "\r\n") } // Windows' own editor wants both
	line(l.plain("recovery.for", "brand", r.brand.Name, "name", p.Viewer.Username))
	if p.Host != "" {
		line("https://" + p.Host)
	}
	if !p.Made.IsZero() {
		line(p.Made.UTC().Format("2006-01-02 15:04 UTC"))
	}
	line("")
	for i, code := range p.Codes {
		line(fmt.Sprintf("%2d. %s", i+1, code))
	}
	line("")
	line(l.plain("recovery.file_how"))
	line(l.plain("recovery.file_keep"))
	h := w.Header()
	SecurityHeaders(h, loopback.Host(req.Host))
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="recovery-codes.txt"`)
	_, _ = w.Write([]byte(b.String()))
}

// oneLine keeps a name from adding lines to the file.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x2028 && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return -1
		}
		return c
	}, s)
}
