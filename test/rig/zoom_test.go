package rig_test

import (
	"testing"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// 400 % is the browser's own zoom: a window of 1280 px has room for 320 CSS px, each four pixels of the screen wide.
func TestZoomIsTheBrowsersOwn(t *testing.T) {
	b := rig.Browser(t, rig.BrowserOptions{Zoom: 4, Look: rig.Look{Width: 1280, Height: 1024}})
	b.Open("data:text/html,<!doctype html><meta name=viewport content='width=device-width'><p>Text")
	if got := rig.Eval[[]float64](b, "[innerWidth, devicePixelRatio, visualViewport.scale]"); got[0] != 320 ||
		got[1] != 4 || got[2] != 1 {
		t.Errorf("width, ratio, pinch: %v", got)
	}
}
