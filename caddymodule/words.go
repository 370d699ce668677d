package caddymodule

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/truxeio/caddy-truxe/internal/nearest"
)

// words maps each word that may begin a line of a block to what reads the rest of that line.
type words map[string]func() error

// readBlock reads one block of the Caddyfile: each line begins with one of the words.
func readBlock(d *caddyfile.Dispenser, what string, w words) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		read, ok := w[word]
		if !ok {
			return d.Err(unknownWord(what, word, slices.Sorted(maps.Keys(w))))
		}
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// unknownWord repeats a word only where it looks like a slip of a known one: anything else may be a line of a secret
// that was set in several lines.
func unknownWord(what, word string, known []string) string {
	if hint := nearest.Hint(word, known); hint != "" {
		return fmt.Sprintf("unknown %s %q%s", what, word, hint)
	}
	return fmt.Sprintf("unknown %s; known are %s", what, strings.Join(known, ", "))
}

// secretArg reads exactly one argument whose errors do not repeat what is there.
func secretArg(d *caddyfile.Dispenser, name, example string, into *string) error {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("%s takes one value, not %d; put a value with spaces into the environment and write: %s", name,
			len(args), example)
	}
	*into = args[0]
	return nil
}

// later names the words of the contract that this version does not have. To accept and ignore them would be to
// promise protection that is not there (R1).
func later(d *caddyfile.Dispenser, names ...string) words {
	w := words{}
	for _, name := range names {
		w[name] = func() error {
			return d.Errf("%q is not available in this version; remove it", name)
		}
	}
	return w
}

// oneArg reads exactly one argument.
func oneArg(d *caddyfile.Dispenser, into *string) error {
	if !d.AllArgs(into) {
		return d.ArgErr()
	}
	return nil
}

// someArgs appends one or more arguments.
func someArgs(d *caddyfile.Dispenser, into *[]string) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	*into = append(*into, args...)
	return nil
}

// choice reads one of the given words.
func choice(d *caddyfile.Dispenser, into *string, options ...string) error {
	name := d.Val()
	var got string
	if err := oneArg(d, &got); err != nil {
		return err
	}
	if !slices.Contains(options, got) {
		return d.Errf("%s cannot be %q%s", name, got, nearest.Hint(got, options))
	}
	*into = got
	return nil
}

// duration reads one positive duration in Caddy's notation.
func duration(d *caddyfile.Dispenser, into *caddy.Duration) error {
	name := d.Val()
	var text string
	if err := oneArg(d, &text); err != nil {
		return err
	}
	v, err := parseDuration(d, name, text)
	*into = v
	return err
}

func parseDuration(d *caddyfile.Dispenser, name, text string) (caddy.Duration, error) {
	v, err := caddy.ParseDuration(text)
	if err != nil || v <= 0 || v > 10*365*24*time.Hour {
		return 0, d.Errf("%s: %q is not a duration such as 15m, 1h or 30d", name, text)
	}
	return caddy.Duration(v), nil
}

// number reads one whole number within bounds.
func number(d *caddyfile.Dispenser, into *int, low, high int) error {
	name := d.Val()
	var text string
	if err := oneArg(d, &text); err != nil {
		return err
	}
	v, err := parseNumber(d, name, text, low, high)
	*into = v
	return err
}

func parseNumber(d *caddyfile.Dispenser, name, text string, low, high int) (int, error) {
	v, err := strconv.Atoi(text)
	if err != nil || v < low || v > high {
		return 0, d.Errf("%s: %q is not a number from %d to %d", name, text, low, high)
	}
	return v, nil
}

func timeDuration(d caddy.Duration) time.Duration { return time.Duration(d) }
