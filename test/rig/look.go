package rig

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// orDesk is the look, in the size of a desk's screen where it names none.
func (l Look) orDesk() Look {
	if l.Width == 0 {
		l.Width, l.Height = 1280, 800
	}
	if l.Height == 0 {
		l.Height = 800
	}
	return l
}

// Show changes how the page that is open, and those after it, are shown.
func (b *Chromium) Show(l Look) {
	b.t.Helper()
	b.options.Look = l.orDesk()
	if err := b.show(); err != nil {
		b.fail(err)
	}
	// Colours fade into each other, children after their parents; what is measured meanwhile is neither.
	Eval[bool](b, `(() => {
		for (let left = 9; left--;) {
			const fading = document.getAnimations().filter(a => a instanceof CSSTransition);
			if (!fading.length) return true;
			fading.forEach(a => a.finish());
		}
		return false;
	})()`)
}

func (b *Chromium) show() error {
	l := b.options.Look
	var size error
	if b.options.Zoom == 0 { // an emulated screen is not zoomed
		_, size = chromedp.Call(b.Ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: l.Width, Height: l.Height, DeviceScaleFactor: 1,
		})
	}
	scheme, forced := "light", "none"
	if l.Dark {
		scheme = "dark"
	}
	if l.ForcedColours {
		forced = "active"
	}
	_, colours := chromedp.Call(b.Ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme},
			{Name: "forced-colors", Value: forced}},
	})
	return errors.Join(size, colours)
}

// Screenshot saves the whole page as name.png in the folder that the environment's TRUXE_SCREENSHOTS names, or else in
// bin/screenshots of the repository. The window grows as tall as the page meanwhile: pictures beyond a window are
// shifted on pages that go from right to left.
func (b *Chromium) Screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv("TRUXE_SCREENSHOTS")
	if dir == "" {
		dir = filepath.Join(Root(), "bin", "screenshots")
	}
	must(b.t, "make the screenshot folder", os.MkdirAll(dir, 0o755))
	shown := b.options.Look
	b.options.Height = max(shown.Height, Eval[int64](b, "document.documentElement.scrollHeight"))
	must(b.t, "show the whole page", b.show())
	png, err := chromedp.Call(b.Ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	must(b.t, "take a screenshot", err)
	b.options.Look = shown
	must(b.t, "show the page as before", b.show())
	must(b.t, "save the screenshot", os.WriteFile(filepath.Join(dir, name+".png"), png.Data, 0o644))
}
