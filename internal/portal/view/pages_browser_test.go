package view_test

import (
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// looks are what a page is shown in, in each language. What axe-core has judged in one look it is not asked again in
// the next: dark differs from light in colours, a phone or another language in everything else.
var looks = map[string][]struct {
	name string
	rig.Look
	axe func(*rig.Chromium) []rig.AxeFinding
}{
	"": {
		{"light-1280", rig.Look{}, (*rig.Chromium).Axe},
		{"dark-1280", rig.Look{Dark: true}, nil}, // for the picture alone
		{"dark-360", rig.Look{Dark: true, Width: 360, Height: 720}, (*rig.Chromium).AxeColours},
		{"light-360", rig.Look{Width: 360, Height: 720}, (*rig.Chromium).AxeStructure},
		{"forced-320", rig.Look{ForcedColours: true, Width: 320, Height: 640}, nil}, // 320 is 1280 at 400 %
	},
	"ar-XB": {{"rtl-1280", rig.Look{}, (*rig.Chromium).AxeStructure}, {"rtl-320", rig.Look{Width: 320, Height: 640}, nil}},
	"en-XA": {{"long-320", rig.Look{Width: 320, Height: 640}, nil}},
}

// What a page may not have in any look: each gives the elements at fault, none is well.
const (
	tooWide = `document.documentElement.scrollWidth <= innerWidth ? [] : [document.documentElement.scrollWidth - innerWidth + " px too wide",
		...[...document.querySelectorAll("main *,header *")].filter(e => { const r = e.getBoundingClientRect(); return r.right > innerWidth + 1 || r.left < -1 }).slice(0, 3).map(e => e.outerHTML.slice(0, 90))]`
	tooSmall = `[...document.querySelectorAll("button,a.button,input:not([type=hidden]),nav a")].filter(e => e.checkVisibility())
		.filter(e => { const r = (e.type === "checkbox" ? e.parentElement : e).getBoundingClientRect(); return r.width < 24 || r.height < 44 }).map(e => e.outerHTML.slice(0, 90))`
	noEdge = `!matchMedia("(forced-colors: active)").matches ? [] : [...document.querySelectorAll(".button,input:not([type=hidden]):not([type=checkbox]),select")].filter(e => e.checkVisibility())
		.filter(e => { const c = getComputedStyle(e); return c.borderTopStyle !== "solid" || c.borderTopWidth === "0px" || c.borderTopColor === c.backgroundColor }).map(e => e.outerHTML.slice(0, 90))`
	noKey = `[...document.querySelectorAll("a[href],button,input:not([type=hidden]),select,pre[tabindex]")].filter(e => e.checkVisibility())
		.filter(e => { e.focus(); return document.activeElement !== e || e.tabIndex < 0 && !e.readOnly }).map(e => e.outerHTML.slice(0, 90))`
)

// CS-09 No page breaks its own policy in a real browser. UX section 4, 12 and 18: no barrier in light, dark and from
// right to left, at a desk and on a phone; WCAG 2.2 1.4.10 nothing scrolls sideways at 320 px, also in a language 40 %
// longer; 2.5.8 nothing to press is small; 2.1.1 the keyboard reaches everything; with forced colours what is pressed
// has an edge. TRUXE_SCREENSHOTS keeps every page's picture.
func TestEveryPageInChromium(t *testing.T) {
	p := newPreview(t)
	for lang, looks := range looks {
		t.Run("lang="+lang, func(t *testing.T) {
			t.Parallel()
			b := rig.Window(t, rig.BrowserOptions{})
			for _, s := range stories() {
				if s.name == "continue" { // goes on at once; TestContinueGoesOnWithItsFragment follows it
					continue
				}
				b.Forget()
				b.Open(p.URL + "/s/" + s.name + "?lang=" + lang)
				for _, l := range looks {
					if l.name == "dark-1280" && os.Getenv("TRUXE_SCREENSHOTS") == "" {
						continue
					}
					b.Show(l.Look)
					faults := rig.Eval[[]string](b, "["+tooWide+","+tooSmall+","+noEdge+"].flat()")
					if l.axe != nil {
						for _, f := range rig.Serious(l.axe(b)) {
							faults = append(faults, f.String())
						}
					}
					for _, f := range faults {
						t.Errorf("%s, %s: %s", s.name, l.name, f)
					}
					if os.Getenv("TRUXE_SCREENSHOTS") != "" {
						b.Screenshot("page-" + s.name + "-" + l.name)
					}
				}
				for _, missed := range rig.Eval[[]string](b, noKey) {
					t.Errorf("%s: the keyboard does not reach %s", s.name, missed)
				}
				for _, c := range b.Complaints() {
					t.Errorf("%s: %s: %s", s.name, c.Kind, c.Text)
				}
			}
		})
	}
}

// The faults that TestEveryPageInChromium looks for are found where they are.
func TestFaultsOfAPageAreSeen(t *testing.T) {
	p := newPreview(t)
	b := rig.Window(t, rig.BrowserOptions{Look: rig.Look{ForcedColours: true, Width: 320, Height: 640}})
	b.Open(p.URL + "/s/login")
	rig.Eval[bool](b, `(e => {
		e.style.cssText = "block-size:20px;inline-size:500px;min-block-size:0;border:0"; e.tabIndex = -1;
		return true;
	})(document.querySelector(".form [type=submit]"))`)
	if found := rig.Eval[[]string](b, tooWide); len(found) < 2 {
		t.Errorf("too wide: %q", found)
	}
	for fault, script := range map[string]string{"too small": tooSmall, "no edge": noEdge, "no key": noKey} {
		if found := rig.Eval[[]string](b, script); !strings.Contains(strings.Join(found, ""), "<button") {
			t.Errorf("%s: %q", fault, found)
		}
	}
}

// Users who ask for less motion see none; others do.
func TestReducedMotion(t *testing.T) {
	p := newPreview(t)
	b := rig.Window(t, rig.BrowserOptions{})
	b.Open(p.URL + "/s/login-wrong")
	const moves = `parseFloat(getComputedStyle(document.querySelector(".button")).transitionDuration) > 0`
	for wish, want := range map[string]bool{"no-preference": true, "reduce": false} {
		if _, err := chromedp.Call(b.Ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: wish}}}); err != nil {
			t.Fatal(err)
		}
		if got := rig.Eval[bool](b, moves); got != want {
			t.Errorf("%s: the button moves is %v", wish, got)
		}
	}
}
