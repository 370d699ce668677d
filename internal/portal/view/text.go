package view

import (
	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Text is what a code means to users, in English: a title, what happened, and what to do next (may be empty). Pages and
// the JSON API share this table. An unknown code gets the words of internal_error.
func Text(code identity.Code) (title, detail, next string) {
	key := codeKey(code)
	return english[key+".title"].other, english[key+".detail"].other, english[key+".next"].other
}

// codeKey is the catalogue's prefix for a code.
func codeKey(code identity.Code) string {
	if _, ok := english["code."+string(code)+".title"]; ok {
		return "code." + string(code)
	}
	return "code." + string(identity.CodeInternal)
}
