package rig

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// zoom has a Chromium that starts with this profile show every page larger by factor, as its menu does: the layout gets
// fewer CSS pixels, each of them more pixels of the screen (WCAG 2.2 1.4.10 means this zoom). The protocol has no call
// for it: its page scale is a pinch, which lets a page keep its layout and moves a glass over it.
func zoom(t testing.TB, profile string, factor float64) {
	t.Helper()
	dir := filepath.Join(profile, "Default")
	must(t, "make Chromium's profile", os.MkdirAll(dir, 0o700))
	level := math.Log(factor) / math.Log(1.2) // a level is a fifth more
	set := fmt.Sprintf(`{"partition":{"default_zoom_level":{"x":%g}}}`, level)
	must(t, "set Chromium's zoom", os.WriteFile(filepath.Join(dir, "Preferences"), []byte(set), 0o600))
}
