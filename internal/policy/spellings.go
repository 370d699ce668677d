package policy

import "strings"

// lookalike turns letters into the ASCII that some servers take them for: the fullwidth forms, and what Windows' best
// fit takes for a slash. A rule compares Unicode as it is (docs/explanation/paths.md); a matcher that decides whether
// there are rules at all must not be passed by them.
func lookalike(r rune) rune {
	switch {
	case r >= '！' && r <= '～':
		return r - '！' + '!'
	case r == '⁄', r == '∕', r == '⧸':
		return '/'
	case r == '∖', r == '⧵', r == '﹨':
		return '\\'
	case r == '․', r == '。':
		return '.'
	}
	return r
}

// Spellings returns every other way to read the path for who asks whether it is one of a set: the readings, the
// canonical path when it differs, and both with letters that only look like ASCII. It returns nil for a plain path.
func (p Path) Spellings() []string {
	if len(p.Readings) == 0 {
		return nil
	}
	all := append(make([]string, 0, 2*len(p.Readings)+2), p.Canonical)
	all = append(all, p.Readings...)
	for _, s := range all[:len(all):len(all)] {
		if isASCII(s) {
			continue
		}
		if folded := strings.Map(lookalike, s); folded != s {
			all = append(all, folded)
			slashes := strings.ReplaceAll(folded, `\`, "/")
			if slashes != folded {
				all = append(all, slashes)
			}
			if tidy := appendTidy(nil, []byte(slashes)); string(tidy) != slashes {
				all = append(all, string(tidy))
			}
		}
	}
	return all
}
