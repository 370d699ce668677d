package main

import "regexp"

// place is where a text is.
type place int

const (
	comment  place = 1 << iota
	message        // a string in Go code
	document       // Markdown, pages, mails, translations
	name           // an identifier that Go code declares
	prose    = comment | message | document
)

// rule is one kind of wording to avoid. The examples are its test.
type rule struct {
	kind    string
	in      place
	pattern *regexp.Regexp
	except  *regexp.Regexp // what the pattern matches and is good English; nil: nothing
	instead string
	bad     string
	good    string
}

// rules are read from top to bottom; several may hold for one text. Line breaks in a text count as spaces.
var rules = []rule{
	{
		kind: "tells", in: comment, pattern: opening(`tells`),
		instead: "X reports whether …, X describes …, X distinguishes …",
		bad:     "Any tells whether there is a second factor.", good: "Any reports whether there is a second factor.",
	},
	{
		kind: "tells whether", in: prose, pattern: words(`(?:tells?|told|telling) (?:\w+ )?whether`),
		instead: "report whether",
		bad:     "Nothing in it tells whether it was used.", good: "Nothing in it shows whether it was used.",
	},
	{
		kind: "gives", in: comment, pattern: opening(`gives`),
		instead: "X returns …; X assigns …",
		bad:     "Head gives the last line.", good: "Head returns the last line.",
	},
	{
		kind: "makes", in: comment, pattern: opening(`(?:makes|draws)`),
		instead: "X creates …, NewX returns …, X generates …",
		bad:     "newKey draws a key.", good: "newKey generates a key.",
	},
	{
		kind: "nobody", in: prose, pattern: words(`(?:nobody|somebody|everybody|anybody)(?:'s)?`),
		instead: "a user, no user, all users, an anonymous request, the caller",
		bad:     "Somebody else is signed in.", good: "Another user is signed in.",
	},
	{
		kind: "nobody in a name", in: name, pattern: regexp.MustCompile(`(?i)nobody|somebody|everybody`),
		instead: "the role: user, caller, anonymous",
		bad:     "TestNobodySignsIn", good: "TestNoUserSignsIn",
	},
	{
		kind: "people", in: prose, pattern: words(`(?:package )?people(?:'s)?`),
		except:  regexp.MustCompile(`^Package `),
		instead: "users, operators, callers",
		bad:     "It is mailed to people.", good: "It is mailed to users.",
	},
	{
		kind: "of late", in: prose, pattern: words(`of late|lately|a moment ago`),
		instead: "recent, recently, stale",
		bad:     "Requests of late.", good: "Recent requests.",
	},
	{
		kind: "stands", in: prose,
		pattern: words(`(?:stands?|stood|standing) (?:in|at|on|there|here|twice|more than once|once|again|behind|above|below|before|beside|around|open|under|alone|between|where)`),
		instead: "is, appears, is stored in, is listed in",
		bad:     "This user stands twice in the file.", good: "This user is listed twice in the file.",
	},
	{
		kind: "hangs on", in: prose, pattern: words(`(?:hangs?|hanging) on`),
		instead: "depends on, belongs to",
		bad:     "The tokens hang on the session.", good: "The tokens belong to the session.",
	},
	{
		kind: "goes with", in: prose, pattern: words(`(?:goes|go|went|gone) with (?:the|a|an|it|its|them)`),
		instead: "is deleted with, belongs to",
		bad:     "They go with the user.", good: "They are deleted with the user.",
	},
	{
		kind: "is none", in: prose, pattern: words(`(?:there |of them )?(?:is|are|was|were) none`),
		except:  regexp.MustCompile(`(?i)^(?:there|of them) `),
		instead: "say what it is not, or what is missing",
		bad:     "What is none has nothing to keep.", good: "It is not a handler list, so there is nothing to keep.",
	},
	{
		kind: "to be had", in: prose, pattern: words(`(?:to|can|could|cannot|not) be had`),
		instead: "is available",
		bad:     "The keys cannot be had.", good: "The keys are unavailable.",
	},
	{
		kind: "mends", in: prose, pattern: words(`mend(?:s|ed|ing)?`),
		instead: "fix",
		bad:     "Mend the rules.", good: "Fix the rules.",
	},
	{
		kind: "dear", in: prose, pattern: words(`(?:is|are|was|were|the|too|so|how) (?:dear|dearest|dearer)`),
		instead: "expensive",
		bad:     "The search is the dear part.", good: "The search is the expensive part.",
	},
	{
		kind: "Who …", in: prose,
		pattern: regexp.MustCompile(`(?:^|[.:;,] )(?:Who|who|Whoever|whoever) (?:has|is|was|gets|asks|wants|does|knows|can|may|sees|needs|holds|signs|owns)\b[^.?]*[.,;:]`),
		except:  regexp.MustCompile(`(?i)\bwho (?:may|gets|can) (?:do )?what\b|who must have`),
		instead: "Users who …, Callers that …",
		bad:     "Who has no second factor sets one up.", good: "Users without a second factor must set one up.",
	},
	{
		kind: "what is told", in: prose, pattern: words(`what (?:is|was) (?:told|said|meant|asked|wanted)`),
		instead: "the subject itself: the event, the value",
		bad:     "It acts on what is told.", good: "It acts on the event.",
	},
	{
		kind: "never last", in: prose, pattern: regexp.MustCompile(`\w never(?: again)?\.`),
		instead: "put never before the verb",
		bad:     "It starts over never.", good: "It never restarts.",
	},
	{
		kind: "private verb", in: name,
		pattern: regexp.MustCompile(`^(?:land|enter|heard|missed|owed|payOwed|nowhere|letPass|complain|hold|few|looks|said)$`),
		instead: "complete, insert, handleEvent, handleResync, unsent, lockAndReload, …",
		bad:     "heard", good: "handleEvent",
	},
}

// opening matches a comment that begins with a name and the verb, as doc comments do.
func opening(verb string) *regexp.Regexp {
	return regexp.MustCompile(`^(?:An? |The )?[\w.]+ ` + verb + `\b`)
}

// words matches whole words in any case.
func words(expr string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(?:` + expr + `)\b`)
}
