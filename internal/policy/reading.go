package policy

import (
	"bytes"
	"slices"
	"sync"
	"unicode/utf8"
)

const (
	// maxReadings bounds how many ways to read one path are judged. Paths of real applications have fewer than ten.
	maxReadings = 32
	// maxReadingText bounds the text of all of them, in bytes: reading a path costs time and room in proportion to it.
	maxReadingText = 6 << 10
)

// steps are what servers do to a path before they look at it, each alone. Readings are closed under them, so the order
// in which a server takes them does not matter. A step is skipped for a path that has none of its bytes.
var steps = []struct {
	of   byteClass
	step func(dst, s []byte) []byte
}{
	{hasPercent, appendDecoded},
	{hasBackslash, appendSlashes},
	{hasSemicolon, appendWithoutParameters}, // servlet containers
	{hasSemicolon, func(dst, s []byte) []byte { return appendBefore(dst, s, ';') }},
	{hasQuestion, func(dst, s []byte) []byte { return appendBefore(dst, s, '?') }}, // decoded first, split afterwards
	{hasHash, func(dst, s []byte) []byte { return appendBefore(dst, s, '#') }},
	{hasSlashes, appendWithoutAuthority}, // Node: new URL(req.url, base)
	{hasSlashes | hasDotSegment, appendTidy},
	{hasTrailer, appendTrimmed}, // Windows
}

// byteClass says which unusual things a path has.
type byteClass uint8

const (
	hasPercent byteClass = 1 << iota
	hasBackslash
	hasSemicolon
	hasQuestion
	hasHash
	hasSlashes    // "//"
	hasDotSegment // a segment that begins with a dot
	hasTrailer    // a segment that ends in dots or spaces
)

const (
	isControl = 1 << 15
	isHigh    = 1 << 14
	isSlash   = 1 << 13
	isDot     = 1 << 12
	isSpace   = 1 << 11
)

var classes = func() (t [256]uint16) {
	for c := range t {
		switch {
		case c < ' ' || c == 0x7f:
			t[c] = isControl
		case c >= 0x80:
			t[c] = isHigh
		}
	}
	t['%'], t['\\'], t[';'], t['?'], t['#'] = uint16(hasPercent), uint16(hasBackslash), uint16(hasSemicolon),
		uint16(hasQuestion), uint16(hasHash)
	t['/'], t['.'], t[' '] = isSlash, isDot, isSpace
	return t
}()

// look reads a path once: what it has, and whether rules can be asked about it. Control bytes and text that is not
// UTF-8 are what no rule should have to think about; nor is ".." beside them.
func look(s []byte, dotsAllowed bool) (byteClass, bool) {
	var all, last uint16
	var has byteClass
	for _, c := range s {
		class := classes[c]
		all |= class
		if (last|class)&isSlash != 0 {
			switch {
			case last&class&isSlash != 0:
				has |= hasSlashes
			case last&isSlash != 0 && class&isDot != 0:
				has |= hasDotSegment
			case last&(isDot|isSpace) != 0:
				has |= hasTrailer
			}
		}
		last = class
	}
	if last&(isDot|isSpace) != 0 {
		has |= hasTrailer
	}
	if all&isControl != 0 || all&isHigh != 0 && !utf8.Valid(s) {
		return 0, false
	}
	if has&hasDotSegment != 0 && !dotsAllowed && (bytes.Contains(s, []byte("/../")) || bytes.HasSuffix(s, []byte("/.."))) {
		return 0, false
	}
	return has | byteClass(all), true
}

// sheet is the room in which one path is read. All readings lie in text, one behind the other.
type sheet struct {
	text  []byte
	ends  []int
	draft []byte
	tidy  []byte
}

var sheets = sync.Pool{New: func() any {
	return &sheet{text: make([]byte, 0, maxReadingText), ends: make([]int, 0, maxReadings+1),
		draft: make([]byte, 0, maxPath+1), tidy: make([]byte, 0, maxPath+1)}
}}

func (s *sheet) reading(i int) []byte {
	start := 0
	if i > 0 {
		start = s.ends[i-1]
	}
	return s.text[start:s.ends[i]]
}

// add appends a reading unless it is there already; false when there are too many.
func (s *sheet) add(reading []byte) bool {
	for i := range s.ends {
		if bytes.Equal(s.reading(i), reading) {
			return true
		}
	}
	if len(s.ends) > maxReadings || len(s.text)+len(reading) > maxReadingText {
		return false
	}
	s.text = append(s.text, reading...)
	s.ends = append(s.ends, len(s.text))
	return true
}

// readings lists every way in which servers are known to read a path, and those of another encoding of the same path.
func readings(raw string, others ...string) (Path, error) {
	if !wellEncoded(raw) {
		return Path{}, errAmbiguous
	}
	s := sheets.Get().(*sheet)
	defer sheets.Put(s)
	s.text, s.ends = s.text[:0], s.ends[:0]
	for _, seed := range append([]string{raw}, others...) {
		s.draft = append(s.draft[:0], seed...)
		if !s.add(s.draft) {
			return Path{}, errAmbiguous
		}
	}
	literal := dotsAreAll(raw)
	for i := 0; i < len(s.ends); i++ {
		reading := s.reading(i)
		has, ok := look(reading, literal)
		if !ok {
			return Path{}, errAmbiguous
		}
		for _, step := range steps {
			if has&step.of == 0 {
				continue
			}
			if s.draft = step.step(s.draft[:0], reading); len(s.draft) == 0 {
				s.draft = append(s.draft, '/')
			}
			if !s.add(s.draft) {
				return Path{}, errAmbiguous
			}
		}
	}
	s.draft = appendDecoded(s.draft[:0], s.reading(0))
	s.tidy = appendTidy(s.tidy[:0], s.draft)
	return s.path(s.tidy), nil
}

// path copies the readings out of the sheet, all in one string. The canonical path is one of them.
func (s *sheet) path(canonical []byte) Path {
	p := Path{Readings: make([]string, 0, len(s.ends)-1)}
	text, start := string(s.text), 0
	for _, end := range s.ends {
		if reading := text[start:end]; reading != string(canonical) {
			p.Readings = append(p.Readings, reading)
		} else {
			p.Canonical = reading
		}
		start = end
	}
	return p
}

// dotsAreAll reports whether plain, literal dot segments are the only unusual thing about a path.
func dotsAreAll(raw string) bool {
	for i := range len(raw) {
		if !plain[raw[i]] || raw[i] == '/' && i > 0 && raw[i-1] == '/' {
			return false
		}
	}
	return true
}

// wellEncoded reports whether every percent sign begins an encoded byte.
func wellEncoded(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if i+2 >= len(s) || unhex(s[i+1]) > 15 || unhex(s[i+2]) > 15 {
				return false
			}
			i += 2
		}
	}
	return true
}

// room extends dst by n bytes, which a step then writes: several times as fast as appending them one by one.
func room(dst []byte, n int) (whole, out []byte) {
	from := len(dst)
	whole = slices.Grow(dst, n)[:from+n]
	return whole, whole[from:]
}

// appendDecoded resolves percent-encoding once and keeps what is broken.
func appendDecoded(dst, s []byte) []byte {
	whole, out := room(dst, len(s))
	n := 0
	for i := 0; i < len(s); i, n = i+1, n+1 {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi <= 15 && lo <= 15 {
				c, i = hi<<4|lo, i+2
			}
		}
		out[n] = c
	}
	return whole[:len(dst)+n]
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

func appendSlashes(dst, s []byte) []byte {
	whole, out := room(dst, len(s))
	for i, c := range s {
		if c == '\\' {
			c = '/'
		}
		out[i] = c
	}
	return whole
}

func appendBefore(dst, s []byte, mark byte) []byte {
	if at := bytes.IndexByte(s, mark); at >= 0 {
		s = s[:at]
	}
	return append(dst, s...)
}

// appendWithoutAuthority reads "//host/path" as a URL with a host.
func appendWithoutAuthority(dst, s []byte) []byte {
	if !bytes.HasPrefix(s, []byte("//")) {
		return append(dst, s...)
	}
	if at := bytes.IndexByte(s[2:], '/'); at >= 0 {
		return append(dst, s[2+at:]...)
	}
	return append(dst, '/')
}

// dots returns 1 for the segment ".", 2 for "..", and 0 for any other.
func dots(segment []byte) int {
	if n := len(segment); n == 1 && segment[0] == '.' || n == 2 && segment[0] == '.' && segment[1] == '.' {
		return n
	}
	return 0
}

// appendTidy resolves dot segments and runs of slashes (RFC 3986 5.2.4 and what every server adds); a slash at the end
// stays.
func appendTidy(dst, s []byte) []byte {
	whole, out := room(dst, len(s)+1)
	n, slash := 0, true
	for i := 0; i < len(s); {
		for i < len(s) && s[i] == '/' {
			i++
		}
		if slash = i == len(s); slash {
			break
		}
		start := n
		out[n] = '/'
		for n++; i < len(s) && s[i] != '/'; i, n = i+1, n+1 {
			out[n] = s[i]
		}
		switch dots(out[start+1 : n]) {
		case 1:
			n, slash = start, true
		case 2:
			n, slash = max(bytes.LastIndexByte(out[:start], '/'), 0), true
		}
	}
	if slash || n == 0 {
		out[n] = '/'
		n++
	}
	return whole[:len(dst)+n]
}

// appendWithoutParameters cuts ";…" from every segment.
func appendWithoutParameters(dst, s []byte) []byte {
	whole, out := room(dst, len(s))
	n, cut := 0, false
	for _, c := range s {
		if cut = c == ';' || cut && c != '/'; !cut {
			out[n] = c
			n++
		}
	}
	return whole[:len(dst)+n]
}

// appendTrimmed cuts spaces and dots from the end of every segment, "." and ".." excepted.
func appendTrimmed(dst, s []byte) []byte {
	whole, out := room(dst, len(s))
	n, start := 0, 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '/' {
			out[n] = s[i]
			n++
			continue
		}
		for n > start && out[n-1] == ' ' {
			n--
		}
		if dots(out[start:n]) == 0 {
			for n > start && (out[n-1] == ' ' || out[n-1] == '.') {
				n--
			}
		}
		if i < len(s) {
			out[n] = '/'
			n++
			start = n
		}
	}
	return whole[:len(dst)+n]
}
