package view

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// rgb is a colour in sRGB, 0 to 255 each.
type rgb [3]uint8

// accents are the accent colour of both schemes.
type accents struct{ light, dark rgb }

// The surfaces an accent must be readable on: the darkest light one and the lightest dark one that links and buttons
// are on. Keep them equal to --page and --raised of app.css (a test compares).
var (
	lightSurface = rgb{0xf3, 0xf5, 0xf4}
	darkSurface  = rgb{0x1f, 0x28, 0x26}
	truxeAccent  = accents{light: rgb{0x0d, 0x6b, 0x58}, dark: rgb{0x5c, 0xd0, 0xb3}}
)

// minContrast is WCAG 2.2's 1.4.3 for text.
const minContrast = 4.5

// parseAccent reads Brand.Accent.
func parseAccent(s string) (accents, error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return truxeAccent, nil
	}
	if len(words) > 2 {
		return accents{}, fmt.Errorf("brand accent %q: give one colour, or one for light and one for dark", s)
	}
	light, err := parseRGB(words[0])
	if err != nil {
		return accents{}, err
	}
	if pass := light.towards(rgb{}, lightSurface); pass != light {
		return accents{},
			fmt.Errorf("brand accent %s has a contrast of %.2f:1 in the light scheme, needs %.1f:1; the nearest that passes is %s",
				light, contrast(light, lightSurface), minContrast, pass)
	}
	if len(words) == 1 {
		return accents{light: light, dark: light.towards(rgb{255, 255, 255}, darkSurface)}, nil
	}
	dark, err := parseRGB(words[1])
	if err != nil {
		return accents{}, err
	}
	if pass := dark.towards(rgb{255, 255, 255}, darkSurface); pass != dark {
		return accents{},
			fmt.Errorf("brand accent %s has a contrast of %.2f:1 in the dark scheme, needs %.1f:1; the nearest that passes is %s",
				dark, contrast(dark, darkSurface), minContrast, pass)
	}
	return accents{light: light, dark: dark}, nil
}

func parseRGB(s string) (rgb, error) {
	hex, ok := strings.CutPrefix(s, "#")
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if !ok || len(hex) != 6 || err != nil {
		return rgb{}, fmt.Errorf("brand accent %q is not a colour like #0d6b58", s)
	}
	return rgb{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil
}

func (c rgb) String() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

// towards moves the colour in small steps to end (black or white, so the hue stays) until it is readable on surface.
func (c rgb) towards(end, surface rgb) rgb {
	for step := range 256 {
		var moved rgb
		for i := range moved {
			moved[i] = uint8(math.Round(float64(c[i]) + (float64(end[i])-float64(c[i]))*float64(step)/255))
		}
		if contrast(moved, surface) >= minContrast {
			return moved
		}
	}
	return end
}

// contrast is WCAG 2.2's contrast ratio, 1 to 21.
func contrast(a, b rgb) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// luminance is WCAG 2.2's relative luminance.
func (c rgb) luminance() float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// css are the variables that a brand decides.
func (a accents) css() string {
	return fmt.Sprintf(":root{--accent:%s;--on-accent:#fff}\n@media (prefers-color-scheme:dark){:root{--accent:%s;--on-accent:#0b1211}}\n", a.light, a.dark)
}
