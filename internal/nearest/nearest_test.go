package nearest

import "testing"

func TestSlipsAreRecognisedAndStrangersAreNot(t *testing.T) {
	options := []string{"portal", "path", "storage", "redis"}
	for got, want := range map[string]string{"portall": "portal", "portla": "portal", "stroage": "storage", "zzzzzz": "",
		"": ""} {
		if w := Word(got, options); w != want {
			t.Errorf("Word(%q) = %q, want %q", got, w, want)
		}
	}
}
