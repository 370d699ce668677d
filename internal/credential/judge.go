package credential

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// Policy judges new passwords.
type Policy struct {
	MinLength        int           // default 15 characters, for a password that is the only factor (PW-01)
	MinLengthWithMFA int           // default 8
	Breached         *BreachedFile // may be nil
	Names            []string      // host and brand names, which passwords must not be made of (PW-08)
}

// CheckContext is whose password it would be.
type CheckContext struct {
	Username, Email string
	HasMFA          bool
}

// Alone reports whether a normalised password is long enough to be the only factor (PW-01).
func (p Policy) Alone(password string) bool {
	return utf8.RuneCountInString(password) >= p.LeastAlone()
}

// LeastAlone is how many characters a password needs that is the only factor.
func (p Policy) LeastAlone() int {
	if p.MinLength == 0 {
		return 15
	}
	return p.MinLength
}

// Check judges a normalised password. An error is an *identity.Error with CodePasswordRefused whose Detail says why, in
// words for users.
func (p Policy) Check(password string, c CheckContext) error {
	least := p.LeastAlone()
	if c.HasMFA {
		if least = p.MinLengthWithMFA; least == 0 {
			least = 8
		}
	}
	if n := utf8.RuneCountInString(password); n < least {
		return refused(fmt.Sprintf("Use a password of at least %d characters. A few unrelated words are easy to remember.",
			least))
	}
	folded := cases.Fold().String(password)
	if common(folded) {
		return refused("This password is one of the first that attackers try. Choose another.")
	}
	if derived(folded, p.words(c)) {
		return refused("This password is made of your name or the name of this site. Choose another.")
	}
	if p.Breached != nil {
		found, err := p.Breached.Contains(password)
		if err != nil {
			return fmt.Errorf("look up breached passwords: %w", err)
		}
		if found {
			return refused("This password appears in known breaches. Choose another.")
		}
	}
	return nil
}

func refused(why string) error { return identity.Refuse(identity.CodePasswordRefused, why) }

// Hash checks a new password and hashes it. alone reports whether it is long enough to be the only factor (PW-01). A
// password that is refused is CodePasswordRefused.
func (p Policy) Hash(ctx context.Context, h *Hasher, password string,
	c CheckContext) (hash string, alone bool, err error) {
	normal, err := Normalize(password)
	if err != nil {
		return "", false, refused(err.Error())
	}
	if err := p.Check(normal, c); err != nil {
		return "", false, err
	}
	hash, err = h.Hash(ctx, normal)
	return hash, p.Alone(normal), err
}

//go:embed blocklist.txt.gz
var blocklistGz []byte

// blocklist holds common passwords and dictionary words of 8 characters and more, in lower case (PW-07).
var blocklist = sync.OnceValue(func() map[string]struct{} {
	zr, err := gzip.NewReader(bytes.NewReader(blocklistGz))
	if err != nil {
		panic("credential: the embedded blocklist is damaged: " + err.Error())
	}
	set := make(map[string]struct{}, 50_000)
	lines := bufio.NewScanner(zr)
	for lines.Scan() {
		set[lines.Text()] = struct{}{}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.EOF) {
		panic("credential: the embedded blocklist is damaged: " + err.Error())
	}
	return set
})

func listed(s string) bool {
	_, ok := blocklist()[s]
	return ok
}

// common reports whether a password is listed or derived from a listed one: with digits or signs at the ends, repeated,
// joined from two, walks over the keyboard, runs of the alphabet.
func common(s string) bool {
	core := strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
	if listed(s) || len(core) >= 8 && listed(core) {
		return true
	}
	if distinct(s) < 5 || repeats(s) || walks(s) {
		return true
	}
	for i := 8; i+8 <= len(s); i++ { // two listed words joined
		if listed(s[:i]) && listed(s[i:]) {
			return true
		}
	}
	return false
}

func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}

// repeats reports whether a text repeats a unit of at most a third of its length, or a listed word.
func repeats(s string) bool {
	for unit := 1; unit <= len(s)/2; unit++ {
		if strings.Repeat(s[:unit], len(s)/unit+1)[:len(s)] == s && (unit <= len(s)/3 || listed(s[:unit])) {
			return true
		}
	}
	return false
}

var rows = []string{"1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "abcdefghijklmnopqrstuvwxyz", "qwertzuiop",
	"azertyuiop",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgbyhnujmikolp"}

// walks reports whether nearly every character of a text follows its neighbour on the keyboard or in the alphabet.
func walks(s string) bool {
	if len(s) < 8 {
		return false
	}
	steps := 0
	for i := 1; i < len(s); i++ {
		pair, back := s[i-1:i+1], string([]byte{s[i], s[i-1]})
		for _, row := range rows {
			if strings.Contains(row, pair) || strings.Contains(row, back) || s[i] == s[i-1] {
				steps++
				break
			}
		}
	}
	return steps >= len(s)-3
}

// words are what a password of this person must not be made of.
func (p Policy) words(c CheckContext) []string {
	local, domain, _ := strings.Cut(c.Email, "@")
	words := []string{c.Email, c.Username, local}
	for _, name := range append([]string{domain}, p.Names...) {
		words = append(words, name)
		for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '.' || r == ' ' || r == '-' }) {
			words = append(words, part)
		}
	}
	return words
}

// derived reports whether fewer than 8 characters of a password remain without the words, digits and signs.
func derived(folded string, words []string) bool {
	rest := folded
	hit := false
	for _, w := range words {
		if w = cases.Fold().String(w); len(w) >= 4 && strings.Contains(rest, w) {
			rest = strings.ReplaceAll(rest, w, "")
			hit = true
		}
	}
	if !hit {
		return false
	}
	letters := 0
	for _, r := range rest {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	return letters < 8
}
