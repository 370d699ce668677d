package caddymodule

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// refuseHidden refuses our handlers where another handler runs them but its routes: in handle_response of reverse_proxy
// and intercept, or in the errors of a subroute. By then the app has had the request, and a site there would be known
// nowhere.
func refuseHidden(raw json.RawMessage) error {
	if !strings.Contains(string(raw), "truxe_") {
		return nil
	}
	var handler map[string]json.RawMessage
	if json.Unmarshal(raw, &handler) != nil {
		return nil //nolint:nilerr // not a handler, so not one of ours
	}
	var name string
	_ = json.Unmarshal(handler["handler"], &name) // without a name, Caddy refuses it
	delete(handler, "routes")
	for _, field := range slices.Sorted(maps.Keys(handler)) {
		var value any
		if json.Unmarshal(handler[field], &value) == nil && hasOurs(value) {
			return fmt.Errorf("truxe inside of %s of %s protects nothing: it would run after the request has been sent; "+
				"write it in the site itself, before %s", field, name, name)
		}
	}
	return nil
}

// hasOurs reports whether one of our handlers is in a JSON value.
func hasOurs(value any) bool {
	switch v := value.(type) {
	case []any:
		return slices.ContainsFunc(v, hasOurs)
	case map[string]any:
		if name, ok := v["handler"].(string); ok && strings.HasPrefix(name, "truxe_") {
			return true
		}
		for _, inner := range v {
			if hasOurs(inner) {
				return true
			}
		}
	}
	return false
}
