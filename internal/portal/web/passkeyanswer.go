package web

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/strictjson"
)

// maxPasskeyAnswer bounds what a browser says about a passkey; the largest honest answer is a few KiB.
const maxPasskeyAnswer = 64 << 10

// ReadPasskeyAnswer reads a body that is what navigator.credentials gave.
func ReadPasskeyAnswer(r *http.Request) (json.RawMessage, error) {
	raw, err := ReadObject(r)
	if err != nil {
		return nil, err
	}
	return PasskeyAnswer(raw)
}

// PasskeyAnswer checks the shape of what navigator.credentials gave, which has members that we do not know (AP-03).
func PasskeyAnswer(raw []byte) (json.RawMessage, error) {
	if err := passkeyShape(raw); err != nil {
		return nil, identity.Invalid(
			"This is not what a browser's PublicKeyCredential.toJSON() gives: " + err.Error() + ".").Because(err)
	}
	return raw, nil
}

var (
	errPasskeySize  = errors.New("it is larger than 64 KiB")
	errPasskeyShape = errors.New("it is not a JSON object with id, type and response")
)

// passkeyShape reports whether a text can be a browser's answer at all. Members that we do not know are left alone, as
// browsers add some; duplicate names and what follows the object are refused.
func passkeyShape(raw []byte) error {
	if len(raw) > maxPasskeyAnswer {
		return errPasskeySize
	}
	var answer struct {
		ID       string         `json:"id"`
		Type     string         `json:"type"`
		Response map[string]any `json:"response"`
	}
	if err := strictjson.Decode(raw, &answer, strictjson.Options{AllowUnknown: true}); err != nil {
		return err
	}
	if answer.ID == "" || answer.Type != "public-key" || len(answer.Response) == 0 {
		return errPasskeyShape
	}
	return nil
}
