package rig

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// pageLimit is how long one action on a page may take.
const pageLimit = 60 * time.Second

// retry is how often a page is asked for an element that is not there yet. Each time costs the browser and this process
// about two milliseconds, and so all tests beside this one.
var retry = chromedp.RetryInterval(40 * time.Millisecond)

// Do performs the actions; an error fails the test, with the page's address and text.
func (b *Chromium) Do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.Ctx, pageLimit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fail(err)
	}
}

// value performs one action that gives a value.
func value[T any](b *Chromium, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.Ctx, pageLimit)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.fail(err)
	}
	return v
}

func (b *Chromium) fail(err error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.Ctx, 3*time.Second)
	defer cancel()
	where, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body"), retry))
	b.t.Fatalf("browser: %v\nat %s:\n%s\nproblems: %v", err, where, text, b.Problems())
}

// Open goes to the address and waits until the page is loaded. An error page of the server is a page too.
func (b *Chromium) Open(url string) {
	b.t.Helper()
	b.Do(chromedp.Navigate(url))
}

// Fill empties the field the CSS selector finds and types text into it.
func (b *Chromium) Fill(selector, text string) {
	b.t.Helper()
	b.Do(chromedp.WaitVisible(chromedp.CSS(selector), retry))
	Eval[bool](b, "(e => { e.focus(); e.value = ''; return true })(document.querySelector("+strconv.Quote(selector)+"))")
	b.Do(chromedp.SendKeys(chromedp.CSS(selector), text, retry))
}

// Click clicks the first visible element the CSS selector finds. It does not wait for what follows: see WaitLocation,
// WaitVisible.
func (b *Chromium) Click(selector string) {
	b.t.Helper()
	b.Do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible, retry))
}

// WaitVisible waits until the CSS selector finds a visible element.
func (b *Chromium) WaitVisible(selector string) {
	b.t.Helper()
	b.Do(chromedp.WaitVisible(chromedp.CSS(selector), retry))
}

// Location is the address of the page.
func (b *Chromium) Location() string {
	b.t.Helper()
	return read(b, chromedp.Location())
}

// Text is the visible text of the first element the CSS selector finds.
func (b *Chromium) Text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(read(b, chromedp.Text(chromedp.CSS(selector), retry)))
}

// Eval returns the value of a JavaScript expression, which may be a promise. The page must not be about to change: an
// answer that a navigation takes away fails the test, since the expression may have done something. See WaitEval.
func Eval[T any](b *Chromium, expression string) T {
	b.t.Helper()
	return value(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// WaitEval waits until a JavaScript expression, which may be a promise and must change nothing, is true. The page may
// be loaded anew meanwhile: a question that a navigation takes away is asked again.
func (b *Chromium) WaitEval(bound time.Duration, what, expression string) {
	b.t.Helper()
	WaitFor(b.t, bound, what, func() bool {
		yes, err := attempt(b, chromedp.Evaluate[bool](expression, chromedp.EvalAwaitPromise))
		return err == nil && yes
	})
}

// read performs an action that changes nothing, again when a navigation took its page away.
func read[T any](b *Chromium, action chromedp.Action[T]) T {
	b.t.Helper()
	var v T
	var err error
	poll(pageLimit, func() bool {
		v, err = attempt(b, action)
		return err == nil
	})
	if err != nil {
		b.fail(err)
	}
	return v
}

// attempt performs one action that may fail.
func attempt[T any](b *Chromium, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.Ctx, 2*time.Second)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// WaitLocation waits until the address contains part and that page's body is there.
func (b *Chromium) WaitLocation(part string) {
	b.t.Helper()
	var where string
	ok := poll(pageLimit, func() bool {
		now, err := attempt(b, chromedp.Location())
		where = now
		return err == nil && strings.Contains(now, part)
	})
	if !ok {
		b.t.Fatalf("the browser is at %s, not at …%s…\n%s\nproblems: %v", where, part, b.Text("body"), b.Problems())
	}
	b.Do(chromedp.WaitReady(chromedp.CSS("body"), retry))
}

// WaitText waits until the first element the CSS selector finds has part in its text. After a form this is the way to
// wait for the page that answers it: the page that was filled in is still there for a moment, and looks ready.
func (b *Chromium) WaitText(selector, part string) {
	b.t.Helper()
	script := "(document.readyState !== 'loading' && document.querySelector(" + strconv.Quote(selector) +
		")?.innerText) || ''"
	var text string
	ok := poll(pageLimit, func() bool {
		now, err := attempt(b, chromedp.Evaluate[string](script))
		text = now
		return err == nil && strings.Contains(now, part)
	})
	if !ok {
		b.t.Fatalf("%s says %q, not %q, at %s:\n%s\nproblems: %v", selector, text, part, b.Location(), b.Text("body"),
			b.Problems())
	}
}
