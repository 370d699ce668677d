package web

import (
	"bytes"
	"io"
	"mime"
	"net/url"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/strictjson"
)

// ReadJSON reads a request body strictly (AP-03).
func (x *Exchange) ReadJSON(into any) error {
	raw, err := x.ReadObject()
	if err != nil {
		return err
	}
	if err := strictjson.Decode(raw, into, strictjson.Options{}); err != nil {
		return BadRequest("The body is not the JSON this call takes: " + err.Error())
	}
	return nil
}

// ReadObject reads a body that is a JSON object, without looking into it.
func (x *Exchange) ReadObject() ([]byte, error) {
	if !x.HasJSON() {
		return nil, BadRequest("Send JSON with Content-Type: application/json.")
	}
	raw, err := io.ReadAll(x.R.Body)
	if err != nil {
		return nil, BadRequest("The body is larger than 1 MiB, or did not come within 10 seconds.")
	}
	if text := bytes.TrimSpace(raw); len(text) == 0 || text[0] != '{' {
		return nil, BadRequest("The body is not a JSON object.")
	}
	return raw, nil
}

// HasJSON reports whether the request says that its body is JSON.
func (x *Exchange) HasJSON() bool {
	media, _, err := mime.ParseMediaType(x.R.Header.Get("Content-Type"))
	return err == nil && media == "application/json"
}

// ReadEmpty takes no body, or an object without members: what a script's fetch sends when there is nothing to say.
func (x *Exchange) ReadEmpty() error {
	if x.R.ContentLength == 0 {
		return nil
	}
	return x.ReadJSON(&struct{}{})
}

// ReadForm reads a form, of a page or as in RFC 6749: the body only, never the URL, each parameter once.
func (x *Exchange) ReadForm() (url.Values, error) {
	media, _, err := mime.ParseMediaType(x.R.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, BadRequest("Send a form with Content-Type: application/x-www-form-urlencoded.")
	}
	if err := x.R.ParseForm(); err != nil {
		return nil, BadRequest("The form could not be read, is larger than 1 MiB, or did not come within 10 seconds.")
	}
	for _, values := range x.R.PostForm {
		if len(values) != 1 {
			return nil, BadRequest("A parameter stands more than once.")
		}
	}
	return x.R.PostForm, nil
}

// ReadQuery takes these parameters, each once at most; takes says so.
func (x *Exchange) ReadQuery(into map[string]*string, takes string) error {
	query, err := url.ParseQuery(x.R.URL.RawQuery)
	if err != nil {
		return BadRequest("The query cannot be read.")
	}
	for name, values := range query {
		value, ok := into[name]
		if !ok || len(values) != 1 {
			return BadRequest(takes)
		}
		*value = values[0]
	}
	return nil
}

// BadRequest returns the error of a request that cannot be read, with what it should be.
func BadRequest(detail string) error {
	return identity.Invalid(detail)
}

// NotFound returns the error of a URL that is none of ours.
func NotFound() error { return identity.NotFound("") }
