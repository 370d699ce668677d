package view

import (
	"html/template"
	"strconv"
	"strings"
)

// maxQR is the size of the largest QR code, version 40 (ISO/IEC 18004); more is not drawn.
const maxQR = 177

// quiet is the margin that ISO/IEC 18004 wants around the modules.
const quiet = 4

// qr renders the modules as inline SVG: dark on white in every colour scheme, since readers look for that. Presentation
// attributes pass the pages' policy, style attributes and data: images would not.
func (l *locale) qr(modules [][]bool) (template.HTML, error) {
	n := len(modules)
	if n == 0 || n > maxQR {
		return "", nil
	}
	label, err := l.plainStrict("totp.qr")
	if err != nil {
		return "", err
	}
	var path strings.Builder
	for y, row := range modules {
		for x := 0; x < len(row) && x < n; x++ {
			if !row[x] {
				continue
			}
			from := x
			for x+1 < len(row) && x+1 < n && row[x+1] {
				x++
			}
			path.WriteString("M" + strconv.Itoa(from+quiet) + " " + strconv.Itoa(y+quiet) + "h" + strconv.Itoa(x+1-from) +
				"v1h-" + strconv.Itoa(x+1-from) + "z")
		}
	}
	size := strconv.Itoa(n + 2*quiet)
	// #nosec: numbers and our own words
	return template.HTML(`<svg class="qr" role="img" aria-label="` + template.HTMLEscapeString(label) + `" viewBox="0 0 ` +
		size + ` ` + size +
		`" width="220" height="220" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h` + size + `v` + size +
		`H0z"/><path fill="#000" d="` + path.String() + `"/></svg>`), nil
}
