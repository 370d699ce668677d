package view

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

//go:embed assets templates i18n
var files embed.FS

// asset is one file under {base}/assets/. Its name holds its hash, so it never changes.
type asset struct {
	kind string // Content-Type
	body []byte
}

const maxLogo = 32 << 10 // the login page must stay below 50 KB in all

func (r *Renderer) addAssets(colours accents) error {
	css, err := files.ReadFile("assets/app.css")
	if err != nil {
		return err
	}
	r.css = r.add("app", ".css", "text/css; charset=utf-8", append([]byte(colours.css()), css...))
	var js []byte // one module, so that a page loads one file
	for _, part := range []string{"assets/app.js", "assets/passkey.js"} {
		raw, err := files.ReadFile(part)
		if err != nil {
			return err
		}
		js = append(js, raw...)
	}
	r.js = r.add("app", ".js", "text/javascript; charset=utf-8", js)
	icon, err := files.ReadFile("assets/icon.svg")
	if err != nil {
		return err
	}
	icon = bytes.ReplaceAll(icon, []byte("#0d6b58"), []byte(colours.light.String()))
	r.icon = r.add("icon", ".svg", "image/svg+xml", icon)
	return r.addLogo()
}

func (r *Renderer) addLogo() error {
	logo := r.brand.Logo
	if len(logo) == 0 {
		r.logo = r.brand.LogoURL
		if r.logo != "" && !ownPath(r.logo) {
			return errors.New("brand logo must be a file or a path on the gateway's own host: pages load nothing from elsewhere")
		}
		return nil
	}
	if len(logo) > maxLogo {
		return errors.New("brand logo is larger than 32 KiB; make it smaller, an SVG for example")
	}
	kind, ext := http.DetectContentType(logo), ""
	switch kind {
	case "image/png", "image/jpeg", "image/webp", "image/gif":
		ext = "." + strings.TrimPrefix(kind, "image/")
	default:
		if head := logo[:min(len(logo), 1024)]; !bytes.Contains(head, []byte("<svg")) {
			return errors.New("brand logo is not an SVG, PNG, JPEG, WebP or GIF image")
		}
		kind, ext = "image/svg+xml", ".svg"
	}
	r.logo = r.add("logo", ext, kind, logo)
	return nil
}

// add keeps the file under a name with its hash and gives its URL.
func (r *Renderer) add(name, ext, kind string, body []byte) string {
	sum := sha256.Sum256(body)
	file := name + "." + hex.EncodeToString(sum[:6]) + ext
	r.assets[file] = asset{kind: kind, body: body}
	return r.base + "/assets/" + file
}

// Assets serves style sheet, module, icon and logo below {base}/assets/; everything else there is 404.
func (r *Renderer) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		name, below := strings.CutPrefix(req.URL.Path, r.base+"/assets/")
		file, ok := r.assets[name]
		if !below || !ok {
			h.Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		if file.kind == "image/svg+xml" { // opened by itself, an SVG is a document that could run scripts
			h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		}
		h.Set("Content-Type", file.kind)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Length", strconv.Itoa(len(file.body)))
		if req.Method == http.MethodGet {
			_, _ = w.Write(file.body)
		}
	})
}
