package strictjson

import (
	"strings"
	"testing"
)

// AP-03 JW-06: what two parsers could read in two ways is refused.
func TestAmbiguousJSONIsRefused(t *testing.T) {
	type in struct {
		User string `json:"user"`
	}
	var v in
	if err := Decode([]byte(`{"user":"al"}`), &v, Options{}); err != nil || v.User != "al" {
		t.Fatal("good JSON is refused:", err)
	}
	for _, bad := range []string{`{"user":"a","user":"b"}`, `{"User":"a"}`, `{"user":"a","x":1}`, `{"user":"a"} x`, `{"user":"a"}{}`, `{"user":1}`, `[]`, ``, `{`,
		"{\"user\":\"\xff\"}", `{"user":"a",}`, "\xef\xbb\xbf{\"user\":\"a\"}", strings.Repeat("[", 65) + strings.Repeat("]", 65)} {
		if err := Decode([]byte(bad), &in{}, Options{}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzStrictJSON(f *testing.F) {
	f.Add([]byte(`{"user":"a","n":[1,{"x":null}]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var v struct {
			User string `json:"user"`
		}
		_ = Decode(data, &v, Options{AllowUnknown: true})
	})
}
