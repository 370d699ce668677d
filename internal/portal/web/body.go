package web

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/strictjson"
)

// ReadJSON reads a request body strictly (AP-03).
func ReadJSON(r *http.Request, into any) error {
	raw, err := ReadObject(r)
	if err != nil {
		return err
	}
	if err := strictjson.Decode(raw, into, strictjson.Options{}); err != nil {
		return identity.Invalid("The body is not the JSON this call takes: " + err.Error())
	}
	return nil
}

// ReadObject reads a body that is a JSON object, without looking into it.
func ReadObject(r *http.Request) ([]byte, error) {
	if !HasJSON(r) {
		return nil, identity.Invalid("Send JSON with Content-Type: application/json.")
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, identity.Invalid("The body is larger than 1 MiB, or did not come within 10 seconds.")
	}
	if text := bytes.TrimSpace(raw); len(text) == 0 || text[0] != '{' {
		return nil, identity.Invalid("The body is not a JSON object.")
	}
	return raw, nil
}

// HasJSON reports whether the request says that its body is JSON.
func HasJSON(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == "application/json"
}

// ReadEmpty takes no body, or an object without members: what a script's fetch sends when there is nothing to say.
func ReadEmpty(r *http.Request) error {
	if r.ContentLength == 0 {
		return nil
	}
	return ReadJSON(r, &struct{}{})
}

// ReadForm reads a form, of a page or as in RFC 6749: the body only, never the URL, each parameter once.
func ReadForm(r *http.Request) (url.Values, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, identity.Invalid("Send a form with Content-Type: application/x-www-form-urlencoded.")
	}
	if err := r.ParseForm(); err != nil {
		return nil, identity.Invalid("The form could not be read, is larger than 1 MiB, or did not come within 10 seconds.")
	}
	for _, values := range r.PostForm {
		if len(values) != 1 {
			return nil, identity.Invalid("Duplicate parameter.")
		}
	}
	return r.PostForm, nil
}

// ReadQuery takes these parameters, each once at most; takes says so.
func ReadQuery(r *http.Request, into map[string]*string, takes string) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return identity.Invalid("The query cannot be read.")
	}
	for name, values := range query {
		value, ok := into[name]
		if !ok || len(values) != 1 {
			return identity.Invalid(takes)
		}
		*value = values[0]
	}
	return nil
}
