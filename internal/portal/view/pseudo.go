package view

import (
	"strings"
	"unicode/utf8"
)

// Pseudo-locales show in tests what a translation would break: en-XA has accents and is 40 % longer, so an untranslated
// or cut text stands out; ar-XB reads from right to left.

var accentOf = strings.NewReplacer(
	"a", "å", "b", "ƀ", "c", "ç", "d", "ð", "e", "é", "f", "ƒ", "g", "ĝ", "h", "ĥ", "i", "î", "j", "ĵ", "k", "ķ", "l", "ļ",
	"m", "ɱ",
	"n", "ñ", "o", "ö", "p", "þ", "q", "ɋ", "r", "ŕ", "s", "š", "t", "ţ", "u", "û", "v", "ṽ", "w", "ŵ", "x", "ẋ", "y", "ý",
	"z", "ž",
	"A", "Å", "B", "Ɓ", "C", "Ç", "D", "Ð", "E", "É", "F", "Ƒ", "G", "Ĝ", "H", "Ĥ", "I", "Î", "J", "Ĵ", "K", "Ķ", "L", "Ļ",
	"M", "Ṁ",
	"N", "Ñ", "O", "Ö", "P", "Þ", "Q", "Ɋ", "R", "Ŕ", "S", "Š", "T", "Ţ", "U", "Û", "V", "Ṽ", "W", "Ŵ", "X", "Ẋ", "Y", "Ý",
	"Z", "Ž")

func accented(s string) string {
	return "[" + outsidePlaceholders(s, accentOf.Replace) + strings.Repeat("~", utf8.RuneCountInString(s)*2/5) + "]"
}

// mirrored forces right-to-left order on Latin letters, so that the layout is tried without knowing Arabic.
func mirrored(s string) string {
	return outsidePlaceholders(s, func(part string) string {
		if strings.TrimSpace(part) == "" {
			return part
		}
		return "\u202e" + part + "\u202c"
	})
}

// outsidePlaceholders changes a text and leaves its {names} alone.
func outsidePlaceholders(s string, change func(string) string) string {
	var b strings.Builder
	for s != "" {
		before, rest, found := strings.Cut(s, "{")
		b.WriteString(change(before))
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		b.WriteString("{" + name + "}")
		s = after
	}
	return b.String()
}

func translate(texts map[string]message, change func(string) string) map[string]message {
	out := make(map[string]message, len(texts))
	for key, m := range texts {
		t := message{other: change(m.other)}
		if m.one != "" {
			t.one = change(m.one)
		}
		out[key] = t
	}
	return out
}
