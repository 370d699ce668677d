package rig

import (
	"slices"
	"strconv"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Stop is where the keyboard is on a page: what has the focus, "" for nothing, and what is wrong with it.
type Stop struct {
	What   string
	Faults []string
}

// stopScript describes what has the focus: is it seen to have it (WCAG 2.2 2.4.7, 2.4.11), and is it where one
// looks for it, not above what had the focus before (2.4.3)? A shadow is no sign of focus here: fields with an error
// have one at any time.
const stopScript = `(back => {
	const e = document.activeElement, was = window.stoppedAt;
	if (!e || e === document.body || e === document.documentElement) { window.stoppedAt = null; return { What: "", Faults: [] }; }
	const faults = [], box = e.getClientRects()[0] ?? new DOMRect();
	const rung = pseudo => { const s = getComputedStyle(e, pseudo); return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && !/^rgba\(.*, 0\)$/.test(s.outlineColor); };
	if (!rung() && !rung("::after")) faults.push("nothing shows that it has the focus");
	if (!box.width || !box.height) faults.push("it takes no room");
	else if (box.top < -1 || box.left < -1 || box.right > innerWidth + 1 || (box.bottom > innerHeight + 1 && box.height < innerHeight)) faults.push("it is out of sight");
	else {
		const top = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height, innerHeight) / 2);
		if (!top || !(e.contains(top) || top.contains(e))) faults.push("it is covered by " + (top?.outerHTML ?? "nothing").slice(0, 90));
	}
	if (e.tabIndex > 0) faults.push("it jumps the queue: tabindex " + e.tabIndex);
	const y = box.top + scrollY, at = { e, top: y, bottom: y + box.height };
	if (was && was.e.isConnected && !e.closest(".skip") && !was.e.closest(".skip") && (back ? at.top >= was.bottom : at.bottom <= was.top)) faults.push("it is on the wrong side of " + was.e.outerHTML.slice(0, 90));
	window.stoppedAt = at;
	return { What: e.outerHTML.replace(/\s+/g, " ").slice(0, 160), Faults: faults };
})`

// focusables are what the keyboard has to reach on a page, in the order of the document; where a flex box says that it
// is read as it is seen, in that.
const focusables = `(() => {
	const place = e => { const up = e.parentElement; if (!up) return [];
		const order = getComputedStyle(up).readingFlow === "flex-visual" ? Number(getComputedStyle(e).order) : 0;
		return [...place(up), order, [...up.children].indexOf(e)]; };
	const before = (a, b) => { const i = a.findIndex((n, i) => n !== b[i]); return i < 0 ? -1 : a[i] - (b[i] ?? -1); };
	return [...document.querySelectorAll("a[href],button,input:not([type=hidden]),select,textarea,summary,[tabindex='0']")]
		.filter(e => e.tabIndex >= 0 && e.checkVisibility({ visibilityProperty: true }))
		.map(e => [e, place(e)]).sort((a, b) => before(a[1], b[1])).map(p => p[0]);
})()`

// Type presses the keys of a text, one after the other, on whatever has the focus.
func (b *Chromium) Type(text string) {
	b.t.Helper()
	b.Do(chromedp.KeyEvent(text))
}

// Press presses one key of package kb, e.g. kb.Enter. Space is " ".
func (b *Chromium) Press(key string) {
	b.t.Helper()
	b.Do(chromedp.KeyEvent(key))
}

// Tab goes to the page's next stop, or back to the one before it.
func (b *Chromium) Tab(back bool) Stop {
	b.t.Helper()
	if back {
		b.Do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	} else {
		b.Do(chromedp.KeyEvent(kb.Tab))
	}
	return b.stop(back)
}

// stop returns where the focus is. One of many windows has the keyboard; each is made to believe that it does.
func (b *Chromium) stop(back bool) Stop {
	b.t.Helper()
	if _, err := chromedp.Call(b.Ctx, emulation.SetFocusEmulationEnabled,
		emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		b.t.Fatalf("give the keyboard to the window: %v", err)
	}
	return Eval[Stop](b, stopScript+"("+strconv.FormatBool(back)+")")
}

// TabTo presses Tab until the focus is on what the CSS selector finds, which it may be already. Every stop on the way
// is looked at; a fault, or a selector that the keyboard does not reach, fails the test.
func (b *Chromium) TabTo(selector string) {
	b.t.Helper()
	b.WaitVisible(selector)
	there := func() bool {
		return Eval[bool](b, "!!document.activeElement?.matches("+strconv.Quote(selector)+")")
	}
	var way []string
	s := b.stop(false)
	for range 80 {
		if s.What != "" {
			way = append(way, s.What)
		}
		for _, fault := range s.Faults {
			b.t.Errorf("at %s: %s: %s", b.Location(), s.What, fault)
		}
		if there() {
			return
		}
		s = b.Tab(false)
	}
	b.t.Fatalf("the keyboard does not reach %s at %s, but only\n%s", selector, b.Location(), strings.Join(way, "\n"))
}

// Walk goes through the whole page with Tab and back with Shift-Tab, and gives what is wrong: a stop that is not seen,
// an order that is not the document's, something that the keyboard does not reach. The focus ends where it began.
func (b *Chromium) Walk() []string {
	b.t.Helper()
	want := Eval[[]string](b, focusables+`.map(e => e.outerHTML.replace(/\s+/g, " ").slice(0, 160))`)
	if len(want) == 0 {
		return nil
	}
	var faults []string
	for _, back := range []bool{false, true} {
		Eval[bool](b, "(window.stoppedAt = null, true)")
		var got []string
		for range len(want) + 2 { // a page's end may be a stop of the window, not of the page
			s := b.Tab(back)
			if s.What == "" {
				Eval[bool](b, "(window.stoppedAt = null, true)")
				continue
			}
			if len(got) > 0 && s.What == got[0] {
				break
			}
			for _, fault := range s.Faults {
				faults = append(faults, s.What+": "+fault)
			}
			got = append(got, s.What)
		}
		order := slices.Clone(want)
		if back {
			slices.Reverse(order)
		}
		if !rotated(got, order) {
			faults = append(faults, "the keyboard stops at\n\t"+strings.Join(got,
				"\n\t")+"\nthe page has\n\t"+strings.Join(order, "\n\t"))
		}
	}
	return faults
}

// rotated reports whether both are the same round, wherever it began.
func rotated(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	at := slices.Index(want, got[0])
	return at >= 0 && slices.Equal(got, append(slices.Clone(want[at:]), want[:at]...))
}
