package strictjson

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// AP-03 JW-06: what two parsers could read in two ways is refused.
func TestAmbiguousJSONIsRefused(t *testing.T) {
	type in struct {
		User string         `json:"user"`
		More map[string]any `json:"more"`
	}
	good := []string{`{"user":"al"}`, ` { "user" : "al" , "more":{"a":[1,{"b":null}],"A":2} } ` + "\r\n\t",
		`{"user":"\u0061l"}`}
	for _, text := range good {
		var v in
		if err := Decode([]byte(text), &v, Options{}); err != nil || v.User != "al" {
			t.Fatalf("good JSON %q is refused: %v", text, err)
		}
	}
	for name, bad := range map[string]string{
		"twice": `{"user":"a","user":"b"}`, "twice, escaped": `{"user":"a","\u0075ser":"b"}`,
		"twice inside": `{"more":{"a":1,"a":2}}`, "twice in a list": `{"more":{"l":[{"a":1,"a":2}]}}`,
		"other case": `{"User":"a"}`, "long s": `{"u` + "\u017f" + `er":"a"}`, "unknown": `{"user":"a","x":1}`,
		"text after": `{"user":"a"} x`, "value after": `{"user":"a"}{}`, "NUL after": "{\"user\":\"a\"}\x00",
		"wrong type": `{"user":1}`, "list": `[]`, "nothing": ``, "cut": `{`, "bad UTF-8": "{\"user\":\"\xff\"}",
		"lone surrogate": `{"user":"\ud800"}`, "control": "{\"user\":\"a\nb\"}",
		"comma": `{"user":"a",}`, "BOM": "\xef\xbb\xbf{\"user\":\"a\"}", "comment": `{"user":"a"/**/}`,
		"single quotes": `{'user':'a'}`, "no quotes": `{user:"a"}`,
		"NaN": `{"more":{"a":NaN}}`, "1e400": `{"more":{"a":1e400}}`, "leading zero": `{"more":{"a":01}}`,
		"plus":         `{"more":{"a":+1}}`,
		"deep":         strings.Repeat("[", 65) + strings.Repeat("]", 65),
		"deep unknown": `{"more":{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}}`,
	} {
		if err := Decode([]byte(bad), &in{}, Options{}); err == nil {
			t.Errorf("%s: %q is taken", name, bad)
		} else if strings.Contains(err.Error(), bad) && len(bad) > 3 {
			t.Errorf("%s: the error repeats the input: %v", name, err)
		}
	}
}

// AP-03: with AllowUnknown other members are let by, but read as strictly.
func TestUnknownMembersAreReadStrictlyToo(t *testing.T) {
	var v struct {
		User string `json:"user"`
	}
	if err := Decode([]byte(`{"user":"al","x":{"y":1}}`), &v, Options{AllowUnknown: true}); err != nil || v.User != "al" {
		t.Fatal(err)
	}
	for _, bad := range []string{`{"user":"al","x":1,"x":2}`, `{"user":"al","x":{"y":1,"y":2}}`,
		`{"user":"al","x":"` + "\xff" + `"}`} {
		if Decode([]byte(bad), &v, Options{AllowUnknown: true}) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	v.User = ""
	if err := Decode([]byte(`{"USER":"al"}`), &v, Options{AllowUnknown: true}); err != nil || v.User != "" {
		t.Errorf("%v, user %q: a name in another case was matched", err, v.User)
	}
}

// AP-03: depth is bounded where the caller says, to the level.
func TestDepthIsBounded(t *testing.T) {
	nest := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	for _, limit := range []int{1, 5, 64} {
		if err := Check(nest(limit), limit); err != nil {
			t.Errorf("%d of %d: %v", limit, limit, err)
		}
		if err := Check(nest(limit+1), limit); !errors.Is(err, errDepth) {
			t.Errorf("%d of %d: %v", limit+1, limit, err)
		}
	}
	if err := Check(nest(9000), 0); !errors.Is(err, errDepth) {
		t.Error(err)
	}
	if err := Check([]byte(strings.Repeat("[", 1<<20)), 0); err == nil {
		t.Error("a million brackets are taken")
	}
}

// FuzzStrictJSON: what is taken, encoding/json takes too, with the same value: strict is a part of lenient.
func FuzzStrictJSON(f *testing.F) {
	for _, s := range []string{`{"user":"a","n":[1,{"x":null}]}`, `{"a":1,"a":2}`, `"\ud800"`, `1e400`, `[[[]]]`,
		"{\"\xff\":1}", `{} {}`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, loose any
		if Decode(data, &strict, Options{AllowUnknown: true}) != nil {
			return
		}
		if err := json.Unmarshal(data, &loose); err != nil || !reflect.DeepEqual(strict, loose) {
			t.Fatalf("%q: %#v, encoding/json %#v, %v", data, strict, loose, err)
		}
	})
}
