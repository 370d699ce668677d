package view

import (
	"fmt"
	"html/template"
)

// icons are drawn on a 24 x 24 grid with the text's own colour. They only accompany words, so they are hidden from
// screen readers. Style attributes are not allowed by the CSP; presentation attributes are.
var icons = map[string]string{
	"alert":    `<circle cx="12" cy="12" r="9"/><path d="M12 7.5v5.5M12 16.4v.1"/>`,
	"check":    `<circle cx="12" cy="12" r="9"/><path d="m8 12.4 2.8 2.8L16 9.6"/>`,
	"info":     `<circle cx="12" cy="12" r="9"/><path d="M12 11v5.5M12 7.6v.1"/>`,
	"eye":      `<path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Z"/><circle cx="12" cy="12" r="3"/><path class="slash" d="m4.5 19.5 15-15"/>`,
	"key":      `<circle cx="8" cy="15.5" r="4.5"/><path d="m11.2 12.3 8.3-8.3M16 7.5l3 3"/>`,
	"device":   `<rect x="3.5" y="4.5" width="17" height="11.5" rx="1.8"/><path d="M8.5 20h7M12 16v4"/>`,
	"phone":    `<rect x="7" y="2.5" width="10" height="19" rx="2.4"/><path d="M11 18.4h2"/>`,
	"door":     `<path d="M14 4.5H6.5a1 1 0 0 0-1 1v13a1 1 0 0 0 1 1H14M10.5 12h9.5M16.5 8.5 20 12l-3.5 3.5"/>`,
	"grid":     `<rect x="4" y="4" width="6.5" height="6.5" rx="1.6"/><rect x="13.5" y="4" width="6.5" height="6.5" rx="1.6"/><rect x="4" y="13.5" width="6.5" height="6.5" rx="1.6"/><rect x="13.5" y="13.5" width="6.5" height="6.5" rx="1.6"/>`,
	"user":     `<circle cx="12" cy="8" r="4"/><path d="M4.5 20c.8-3.7 3.7-5.8 7.5-5.8s6.7 2.1 7.5 5.8"/>`,
	"lock":     `<rect x="5" y="10.5" width="14" height="10" rx="2.2"/><path d="M8 10.5V7.6a4 4 0 0 1 8 0v2.9"/>`,
	"arrow":    `<path d="M4.5 12h15M13.5 6l6 6-6 6"/>`,
	"clock":    `<circle cx="12" cy="12" r="9"/><path d="M12 7v5.2l3.4 2"/>`,
	"mail":     `<rect x="3" y="5.5" width="18" height="13" rx="2.2"/><path d="m3.8 7.5 8.2 6 8.2-6"/>`,
	"copy":     `<rect x="8.5" y="8.5" width="11.5" height="11.5" rx="2.2"/><path d="M15.5 8.5V6.2A2.2 2.2 0 0 0 13.3 4H6.2A2.2 2.2 0 0 0 4 6.2v7.1a2.2 2.2 0 0 0 2.2 2.2h2.3"/>`,
	"retry":    `<path d="M19.5 12a7.5 7.5 0 1 1-2.300-5.400M19.5 3.500v4.200h-4.200"/>`,
	"tab":      `<rect x="3" y="5" width="18" height="14.5" rx="2.2"/><path d="M3 9.5h18M9 5v4.5"/>`,
	"passkey":  `<circle cx="9" cy="7.5" r="4"/><path d="M2.500 20c.7-3.700 3.200-5.700 6.500-5.700 1.100 0 2.100.2 3 .6"/><circle cx="17.5" cy="13" r="3"/><path d="M17.5 16v5.500M17.5 18.800h2.300"/>`,
	"shield":   `<path d="M12 2.800 4.800 5.600v5.700c0 4.600 2.900 8 7.200 9.900 4.300-1.900 7.200-5.300 7.200-9.900V5.600Z"/><path d="m8.800 11.900 2.300 2.300 4.200-4.500"/>`,
	"codes":    `<path d="M6.500 3h11a1.800 1.800 0 0 1 1.800 1.800v14.400a1.800 1.800 0 0 1-1.800 1.800h-11a1.800 1.800 0 0 1-1.800-1.800V4.800A1.800 1.800 0 0 1 6.500 3Z"/><path d="M8.300 8h2M13.700 8h2M8.300 12h2M13.700 12h2M8.300 16h2M13.700 16h2"/>`,
	"back":     `<path d="M19.5 12h-15M10.5 6l-6 6 6 6"/>`,
	"next":     `<path d="m9 5.500 6.500 6.500L9 18.500"/>`,
	"download": `<path d="M12 3.500v11.500M7 10.500l5 5 5-5M4.500 20h15"/>`,
	"print":    `<path d="M7 8.500v-5h10v5M7 17H5.200A1.700 1.700 0 0 1 3.500 15.300v-5.100a1.700 1.700 0 0 1 1.700-1.700h13.600a1.700 1.700 0 0 1 1.700 1.700v5.100a1.700 1.700 0 0 1-1.700 1.700H17M7 14h10v6.500H7Z"/>`,
	"pulse":    `<path d="M3 12.500h4l2.500-7 4.500 13 2.700-6H21"/>`,
	"compass":  `<circle cx="12" cy="12" r="9"/><path d="m15.5 8.5-2 5-5 2 2-5Z"/>`,
}

func icon(name string) (template.HTML, error) {
	shape, ok := icons[name]
	if !ok {
		return "", fmt.Errorf("no icon %q", name)
	}
	class := "icon"
	if name == "back" || name == "next" {
		class = "icon flip" // they point the other way when the page reads from right to left
	}
	// #nosec: constants
	return template.HTML(`<svg class="` + class +
		`" viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">` + shape + `</svg>`), nil
}
