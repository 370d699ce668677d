package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// BrowserOptions say what kind of browser it is.
type BrowserOptions struct {
	Gateway      *Caddy // host names resolve to it: https://app.example.com works as written
	NoJavaScript bool
	Look
	Language string
	Zoom     float64 // the browser's own, of every page: 4 is 400 %; the look's size is then the window's. Browser only
}

// Look is what a page is shown in.
type Look struct {
	Dark          bool
	ForcedColours bool  // the person's own few colours instead of the page's
	Width, Height int64 // viewport in CSS pixels; default 1280 x 800
}

// Problem is something a page did that the browser complained about.
type Problem struct {
	Kind string // "csp", "exception", "console" (console.error) or "log" (failed loads, 4xx answers and the like)
	Text string
}

// Chromium is a headless Chromium with one tab and a profile of its own.
type Chromium struct {
	Ctx context.Context // for chromedp calls of your own

	t        testing.TB
	options  BrowserOptions
	hasAxe   bool // every further page comes with axe-core
	mu       sync.Mutex
	problems []Problem
}

// Browser starts Chromium; it ends with the test. Certificates are not checked, nothing but loopback is resolved.
func Browser(t testing.TB, o BrowserOptions) *Chromium {
	t.Helper()
	o.Look = o.orDesk()
	rules := "MAP * 127.0.0.1"
	if g := o.Gateway; g != nil {
		rules = fmt.Sprintf("MAP *:443 127.0.0.1:%d,MAP *:80 127.0.0.1:%d,MAP * 127.0.0.1", g.Port("https"), g.Port("http"))
	}
	profile := filepath.Join(tempDir(t), "profile")
	if o.Zoom != 0 {
		zoom(t, profile, o.Zoom)
	}
	flags := chromiumFlags(chromiumBin(t, o.Zoom != 0), rules, profile, o.Width, o.Height)
	if o.Language != "" {
		flags = append(flags, chromedp.Flag("accept-lang", o.Language))
	}
	alloc, endAlloc := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, endTab := chromedp.NewContext(alloc)
	b := &Chromium{Ctx: ctx, t: t, options: o}
	t.Cleanup(func() {
		endTab()
		endAlloc()
	})
	b.prepare(ctx)
	return b
}

// unusedFeatures of Chromium would ask servers of its maker, or load pages of its own user interface into every window
// before they are asked for, which takes longer than a test's own page.
const unusedFeatures = "Translate,OptimizationHints,MediaRouter,AutofillServerCommunication," +
	"PreloadTopChromeWebUI,WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,AiModeOmniboxEntryPoint"

// chromiumFlags start a Chromium that talks to loopback only and keeps its profile in a folder of ours.
func chromiumFlags(bin, hosts, profile string, width, height int64) []chromedp.ExecAllocatorOption {
	return []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(bin), chromedp.UserDataDir(profile),
		chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.DisableGPU,
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-extensions", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-features", unusedFeatures),
		chromedp.Flag("password-store", "basic"), chromedp.Flag("use-mock-keychain", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("host-resolver-rules", hosts),
		chromedp.WindowSize(int(width), int(height)),
	}
}

// NewTab opens a further tab of the same profile and gives it as a browser of its own; it ends with the test.
func (b *Chromium) NewTab() *Chromium {
	b.t.Helper()
	ctx, end := chromedp.NewContext(b.Ctx)
	b.t.Cleanup(end)
	tab := &Chromium{Ctx: ctx, t: b.t, options: b.options}
	tab.prepare(ctx)
	return tab
}

// prepare listens for complaints and sets what the options ask.
func (b *Chromium) prepare(ctx context.Context) {
	b.t.Helper()
	// The first call starts the browser and must have a context without deadline, or the browser ends with it.
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		b.t.Fatalf("start Chromium: %v", err)
	}
	err := chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		var errs []error
		try := func(_ any, err error) { errs = append(errs, err) }
		try(cdp.Call(ctx, tab, log.Enable, cdp.Empty{}))
		try(cdp.Call(ctx, tab, audits.Enable, cdp.Empty{}))
		return errors.Join(errs...)
	}))
	if err == nil {
		err = b.show()
	}
	if err == nil && b.options.NoJavaScript {
		err = b.javaScript(false)
	}
	if err != nil {
		b.t.Fatalf("prepare Chromium: %v", err)
	}
}

// javaScript switches the page's scripts on or off from its next load on; what the rig evaluates itself runs either
// way.
func (b *Chromium) javaScript(on bool) error {
	_, err := chromedp.Call(b.Ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: !on})
	return err
}

// InEveryPage runs a script in every document that is opened from now on, before the document's own.
func (b *Chromium) InEveryPage(script string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.Ctx, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
		b.t.Fatalf("add a script to every page: %v", err)
	}
}

// Downloads has the window save files that it is sent, and gives their folder.
func (b *Chromium) Downloads() string {
	b.t.Helper()
	dir := tempDir(b.t)
	_, err := chromedp.CallBrowser(b.Ctx, browser.SetDownloadBehavior,
		browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow,
			BrowserContextID: chromedp.FromContext(b.Ctx).BrowserContextID, DownloadPath: dir})
	must(b.t, "allow downloads", err)
	return dir
}

func (b *Chromium) listen(event any) {
	switch ev := event.(type) {
	case *runtime.EventExceptionThrown:
		text := ev.ExceptionDetails.Text
		if ev.ExceptionDetails.Exception != nil {
			text += " " + ev.ExceptionDetails.Exception.Description
		}
		b.report("exception", text)
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeAssert {
			var words []string
			for _, a := range ev.Args {
				words = append(words, strings.Trim(string(a.Value), `"`)+a.Description)
			}
			b.report("console", strings.Join(words, " "))
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError {
			b.report("log", strings.TrimSpace(ev.Entry.Text+" "+ev.Entry.URL))
		}
	case *audits.EventIssueAdded:
		if d := ev.Issue.Details; d != nil && d.ContentSecurityPolicyIssueDetails != nil {
			v := d.ContentSecurityPolicyIssueDetails
			b.report("csp", strings.TrimSpace(fmt.Sprintf("%s: %s %s", v.ViolatedDirective, v.ContentSecurityPolicyViolationType,
				v.BlockedURL)))
		}
	}
}

func (b *Chromium) report(kind, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, Problem{kind, text})
}

// Problems is what the browser complained about since the last Forget; kinds picks some, none means all.
func (b *Chromium) Problems(kinds ...string) []Problem {
	b.mu.Lock()
	defer b.mu.Unlock()
	var picked []Problem
	for _, p := range b.problems {
		match := len(kinds) == 0
		for _, k := range kinds {
			match = match || k == p.Kind
		}
		if match {
			picked = append(picked, p)
		}
	}
	return picked
}

// Complaints is Problems without what the browser says of every page whose status is 4xx or 5xx. A page's own files,
// below assets/, have no such excuse.
func (b *Chromium) Complaints() []Problem {
	var out []Problem
	for _, p := range b.Problems() {
		if p.Kind != "log" || !strings.Contains(p.Text, "the server responded with a status of") ||
			strings.Contains(p.Text, "/assets/") {
			out = append(out, p)
		}
	}
	return out
}

// Forget empties Problems.
func (b *Chromium) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = nil
}

// chromiumBin returns the browser of the tests: $TRUXE_CHROMIUM, or the headless shell where there is one. It has the
// engine, network and storage of Chromium without its windows, and starts in a third of the time. Zoom is of windows.
func chromiumBin(t testing.TB, windows bool) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome"}
	if path := os.Getenv("TRUXE_CHROMIUM"); path != "" {
		names = []string{path}
	} else if !windows {
		names = slices.Insert(names, 0, "chromium-headless-shell")
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("Chromium is missing; scripts/install-test-deps installs it")
	return ""
}
