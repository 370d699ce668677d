package audit

import "strings"

// PackedDetail is the one detail that may be longer: lines of tab-separated fields, packed into one line.
const (
	PackedDetail = "trace"
	maxPacked    = 2048 // runes
)

// The visible symbols for what a log line must not hold.
var (
	pack   = strings.NewReplacer("\u241e", "?", "\u241f", "?", "\n", "\u241e", "\t", "\u241f")
	unpack = strings.NewReplacer("\u241e", "\n", "\u241f", "\t")
)

// Pack joins lines of fields into one harmless line for PackedDetail.
func Pack(lines string) string { return pack.Replace(lines) }

// Unpack returns the lines that Pack packed.
func Unpack(line string) string { return unpack.Replace(line) }
