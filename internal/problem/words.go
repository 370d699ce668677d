package problem

import (
	_ "embed"
	"encoding/json"

	"github.com/truxeio/caddy-truxe/internal/identity"
)

// words are what a code says to the caller. They name no role, no rule and no account (R12): a disabled user reads what
// any user reads whose session has ended (PW-16).
type words struct {
	Title  string // the same for each occurrence of a type (RFC 9457 3.1.4)
	Detail string // what happened
	Remedy string // what to do next, one sentence
}

//go:embed words.json
var wordsJSON []byte

// catalogue has the words of each code.
var catalogue = func() map[identity.Code]words {
	all := map[identity.Code]words{}
	if err := json.Unmarshal(wordsJSON, &all); err != nil {
		panic(err) // our own file
	}
	return all
}()

func wordsOf(code identity.Code) words {
	if w, ok := catalogue[code]; ok {
		return w
	}
	return catalogue[identity.CodeInternal]
}

// Title is the short name of a code's kind of problem.
func Title(code identity.Code) string { return wordsOf(code).Title }

// Detail is what a code means to the caller, in plain words.
func Detail(code identity.Code) string { return wordsOf(code).Detail }

// Remedy is what the caller can do about it, one sentence.
func Remedy(code identity.Code) string { return wordsOf(code).Remedy }
