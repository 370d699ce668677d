package policyfile

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/policies"
)

// schemas compiles the JSON Schemas that editors use.
func schemas(t *testing.T) (policy, tests *jsonschema.Schema) {
	t.Helper()
	c := jsonschema.NewCompiler()
	names := []string{"policy.schema.json", "policy-test.schema.json"}
	for _, name := range names {
		text, err := policies.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("https://github.com/truxeio/caddy-truxe/policies/"+name, doc); err != nil {
			t.Fatal(err)
		}
	}
	var out []*jsonschema.Schema
	for _, name := range names {
		s, err := c.Compile("https://github.com/truxeio/caddy-truxe/policies/" + name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out[0], out[1]
}

// value is YAML as the JSON that an editor's language server validates; ok: it is YAML of which there is such JSON.
func value(text string) (v any, ok bool) {
	var n yaml.Node
	if yaml.Unmarshal([]byte(text), &n) != nil || len(n.Content) == 0 {
		return nil, len(n.Content) == 0
	}
	return nodeValue(n.Content[0])
}

func nodeValue(n *yaml.Node) (any, bool) {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			v, ok := nodeValue(n.Content[i+1])
			if _, twice := m[key.Value]; !ok || twice || key.Kind != yaml.ScalarNode {
				return nil, false
			}
			m[key.Value] = v
		}
		return m, true
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			v, ok := nodeValue(item)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		return list, true
	case yaml.AliasNode:
		return nil, false
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, true
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), true
	case "!!int", "!!float":
		f, err := strconv.ParseFloat(n.Value, 64)
		return f, err == nil
	}
	return n.Value, true
}

// beyondShape are mistakes that no JSON Schema can see: what depends on other places of the files, on the bits of a
// network, on YAML itself or on the host's spelling.
var beyondShape = []string{"unknown role", "unknown network", "there are two rules", "inherits itself", "inherited by",
	"appears twice", "bits beyond its mask", "is no network", "write IPv4 networks",
	"anchors", "merge keys", "tags such", "second document", "not YAML", "UTF-8", "do not show", "nested too deeply",
	"browsers send", "name before the colon", "path \"/a/../b\"", "anyone_signed_in no other user",
	"condition", "when of"}

// An editor says of a file what the gateway will say: the schema takes what the loader takes, and refuses what the
// loader refuses for its shape.
func TestSchemaAndLoaderAgree(t *testing.T) {
	schema, testSchema := schemas(t)
	seen := map[bool]int{}
	for name, text := range policyFixtures(t) {
		_, err := Parse([]Source{{Name: "policies/orders.yaml", Text: []byte(text)}})
		v, isJSON := value(text)
		if err != nil && (!isJSON || slices.ContainsFunc(beyondShape,
			func(s string) bool { return strings.Contains(err.Error(), s) })) {
			continue
		}
		seen[err == nil]++
		if invalid := schema.Validate(v); (err == nil) != (invalid == nil) {
			t.Errorf("%s: the loader says %v, the schema %v\n%s", name, err, invalid, text)
		}
	}
	if seen[true] < 10 || seen[false] < 40 {
		t.Errorf("only %v fixtures were compared", seen)
	}
	seen = map[bool]int{}
	for name, c := range testFileFixtures {
		doc, err := Parse(one(testFilePolicy))
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseTests([]Source{{Name: "policies/orders_test.yaml", Text: []byte(c.text)}}, doc)
		if (err == nil) != (c.want == "") {
			t.Errorf("%s: %v", name, err)
		}
		v, isJSON := value(c.text)
		if err != nil && (!isJSON || c.beyond) {
			continue
		}
		seen[err == nil]++
		if invalid := testSchema.Validate(v); (err == nil) != (invalid == nil) {
			t.Errorf("%s: the loader says %v, the schema %v\n%s", name, err, invalid, c.text)
		}
	}
	if seen[true] < 3 || seen[false] < 20 {
		t.Errorf("only %v test fixtures were compared", seen)
	}
	text, err := policies.Files.ReadFile("policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var listed struct {
		Defs struct{ Method struct{ Enum []string } } `json:"$defs"`
	}
	if err := json.Unmarshal(text, &listed); err != nil || !slices.Equal(listed.Defs.Method.Enum, methods) {
		t.Errorf("the schema's methods are not the loader's: %v, %v", listed.Defs.Method.Enum, err)
	}
	shipped, err := ReadFS(policies.Files, "policies")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shipped {
		v, ok := value(string(s.Text))
		against := schema
		if s.IsTest() {
			against = testSchema
		}
		if invalid := against.Validate(v); !ok || invalid != nil {
			t.Errorf("%s: %v", s.Name, invalid)
		}
	}
}

// policyFixtures are policies of other tests, the shipped ones and those of the documents.
func policyFixtures(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"contract": contract, "only roles": "roles: {a: , b: {inherits: [a], description: x}}\n",
		"nothing": "# nothing\n", "to": "rules: [{id: a, effect: allow, to: {anyone_signed_in: true}}]\n",
		"hosts":   "rules: [{id: a, effect: deny, hosts: [A.example.com., '[::1]', 127.0.0.1, localhost], paths: [/, /a, /a/, /**, /*, '/*/b/**', /ä b/c+d]}]\n",
		"people":  "rules: [{id: a, effect: allow, to: {role: [a, b], user: c, client: [d], permission: ['x:*', '*:y', '*', 'truxe:users:read']}}]\n",
		"deny to": "rules: [{id: a, effect: deny, to: {user: 'https://issuer.example|7'}, methods: [PROPFIND, M-SEARCH], networks: ['::/0', 10.0.0.1, 192.0.2.0/24]}]\n",
		"require": "networks: {n: [10.0.0.0/8]}\nrules: [{id: a, effect: require, require: {passkey: true, max_age: 1d12h, networks: [n, 192.0.2.1], role: a, user: [b, c]}}]\n",
		"public":  "rules: [{id: a.b_c-d, effect: public, paths: [/healthz], mode: report, reason: x}]\n",
		"max_age": "rules: [{id: a, effect: require, require: {max_age: 1.5h}}]\n"}
	for name, c := range mistakes {
		all[name] = c.text
	}
	for i, m := range fenced.FindAllStringSubmatch(readGuide(t), -1) {
		if m[2] == "yaml" && strings.Contains(m[3], "effect:") {
			all["guide "+strconv.Itoa(i)] = m[3]
		}
	}
	return all
}
