package rig

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// windows is the one Chromium whose windows a package's tests share.
var windows struct {
	sync.Mutex
	ctx context.Context
}

// Window opens a window with cookies of its own in a Chromium that the package's tests share, which is
// quicker than Browser. It ends with the test, Chromium with the package. Every name is loopback, so an address needs
// its port. The options' Gateway and Language are not looked at.
func Window(t testing.TB, o BrowserOptions) *Chromium {
	t.Helper()
	if o.Width == 0 {
		o.Width, o.Height = 1280, 800
	}
	ctx, end := chromedp.NewContext(sharedChromium(t), chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	b := &Chromium{Ctx: ctx, t: t, options: o}
	b.prepare(ctx)
	return b
}

// Look changes how the page that is open is shown: dark or light, and its width and height in CSS pixels.
func (b *Chromium) Look(dark bool, width, height int64) {
	b.t.Helper()
	b.options.Dark, b.options.Width, b.options.Height = dark, width, height
	if err := b.look(); err != nil {
		b.fail(err)
	}
	if !b.options.NoJavaScript { // colours fade into each other; what is measured meanwhile is neither
		Eval[bool](b, "Promise.allSettled(document.getAnimations().filter(a => a instanceof CSSTransition).map(a => a.finished)).then(() => true)")
	}
}

func sharedChromium(t testing.TB) context.Context {
	t.Helper()
	windows.Lock()
	defer windows.Unlock()
	if windows.ctx != nil {
		return windows.ctx
	}
	dir, err := os.MkdirTemp("", "truxe-")
	if err != nil {
		t.Fatalf("make a folder for Chromium's profile: %v", err)
	}
	alloc, endAlloc := chromedp.NewExecAllocator(context.Background(),
		chromiumFlags(t, "MAP * 127.0.0.1", filepath.Join(dir, "profile"), 1280, 800)...)
	ctx, end := chromedp.NewContext(alloc)
	atEnd(t, func() {
		end()
		endAlloc()
		_ = os.RemoveAll(dir)
	})
	if err := chromedp.Do(ctx); err != nil { // starts the browser, with a context that no test ends
		t.Fatalf("start Chromium: %v", err)
	}
	windows.ctx = ctx
	return ctx
}
