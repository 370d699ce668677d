package caddymodule

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/truxeio/caddy-truxe/internal/regular"
)

// maxSecretFile is what Caddy reads of a {file.*}, in bytes.
const maxSecretFile = 1 << 20

// resolver expands {env.*} and {file.*} of secrets. The values stay in unexported fields, because the configuration is
// marshalled again for GET /config/ (CADDY-FACTS section 6).
type resolver struct {
	replacer *caddy.Replacer
	err      error
}

// braces are what Caddy may take for a placeholder.
var braces = regexp.MustCompile(`\{([^{}]*)\}`)

func (r *resolver) secret(what, text string) string {
	if text == "" {
		return ""
	}
	v, err := r.expand(text)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", what, err)
	}
	return strings.TrimSpace(v)
}

// path expands every placeholder of Caddy's in what is no secret.
func (r *resolver) path(what, text string) string {
	v, err := r.replacer.ReplaceOrErr(text, true, true)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", what, err)
	}
	return v
}

// expand names in its errors the placeholder alone, and that only where it is one: text in braces may be a secret.
func (r *resolver) expand(text string) (string, error) {
	for _, m := range braces.FindAllStringSubmatch(text, -1) {
		if !placeholder.MatchString(m[0]) {
			return "",
				errors.New("text in braces is neither {env.<NAME>} nor {file.<path>}; percent-encode { as %7B and } as %7D in a URL")
		}
		if path, ok := strings.CutPrefix(m[1], "file."); ok { // Caddy would wait for a FIFO, and read a device
			if err := regular.Check(path, maxSecretFile); err != nil {
				return "", err
			}
		}
	}
	return r.replacer.ReplaceOrErr(text, true, true)
}
