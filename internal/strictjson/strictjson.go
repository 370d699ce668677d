// Package strictjson decodes JSON from outside without the leniencies of encoding/json: names match by exact case, no
// name appears twice, nothing follows the value, text is valid UTF-8, depth is bounded. What two parsers could read in
// two ways is refused (RFC 8725 2.6, AP-03).
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Options of Decode.
type Options struct {
	AllowUnknown bool // members the type does not have are ignored instead of refused
	MaxDepth     int  // default 64
}

// Errors are plain words without the input.
var (
	errSyntax   = errors.New("it is not valid JSON, or a name appears twice")
	errTrailing = errors.New("something follows the JSON value")
	errDepth    = errors.New("it is nested too deeply")
	errShape    = errors.New("a member is unknown or of the wrong type")
)

// Check reads one JSON value strictly and forgets it.
func Check(data []byte, depth int) error {
	if depth == 0 {
		depth = 64
	}
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(false),
		jsontext.AllowInvalidUTF8(false))
	for {
		tok, err := dec.ReadToken()
		if err != nil {
			return errSyntax
		}
		if dec.StackDepth() > depth {
			return errDepth
		}
		_ = tok
		if dec.StackDepth() == 0 {
			break
		}
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errTrailing
	}
	return nil
}

// Decode reads data into v.
func Decode(data []byte, v any, o Options) error {
	if err := Check(data, o.MaxDepth); err != nil {
		return err
	}
	opts := []json.Options{json.RejectUnknownMembers(!o.AllowUnknown), json.MatchCaseInsensitiveNames(false)}
	if err := json.Unmarshal(data, v, opts...); err != nil {
		var semantic *json.SemanticError
		if errors.As(err, &semantic) && semantic.JSONPointer != "" {
			return fmt.Errorf("%w: %.64q", errShape, string(semantic.JSONPointer))
		}
		return errShape
	}
	return nil
}
