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
	o.Look = o.orDesk()
	ctx, end := chromedp.NewContext(sharedChromium(t), chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	b := &Chromium{Ctx: ctx, t: t, options: o}
	b.prepare(ctx)
	return b
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
		chromiumFlags(chromiumBin(t, false), "MAP * 127.0.0.1", filepath.Join(dir, "profile"), 1280, 800)...)
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
