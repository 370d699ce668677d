package mail

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
	"time"
)

// Facts are what a notice tells. They wait in the database until it is sent: no secret is ever among them.
type Facts struct {
	Account string    `json:"account"` // user name
	At      time.Time `json:"at"`
	Address string    `json:"address,omitempty"` // network address it came from
	Browser string    `json:"browser,omitempty"`
	System  string    `json:"system,omitempty"`
	Host    string    `json:"host,omitempty"` // where it was done
	// Factor is the method it is about: "totp", "passkey", "recovery_code"; "" for none.
	Factor string `json:"factor,omitempty"`
	// Other: another user did it, an administrator or the host operator.
	Other bool `json:"other,omitempty"`
}

const maxFacts = 8 << 10

// Encode is how the facts wait.
func (f Facts) Encode() (string, error) {
	f.Account, f.Address, f.Host = cut(line(f.Account), 254), cut(line(f.Address), 64), cut(line(f.Host), 254)
	f.Browser, f.System, f.Factor = cut(line(f.Browser), 64), cut(line(f.System), 64), cut(line(f.Factor), 32)
	f.At = f.At.UTC().Truncate(time.Second)
	raw, err := json.Marshal(f)
	return string(raw), err
}

func decodeFacts(text string) (Facts, error) {
	var f Facts
	if len(text) > maxFacts {
		return f, errors.New("facts of a notice are too long")
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return f, fmt.Errorf("facts of a notice: %w", err)
	}
	return f, nil
}

// Writer writes notices in the look of one configuration.
type Writer struct {
	Brand   string
	Support string // where users get help: an address or a URL; "" without
	// Origin is where links lead: the origin of a host of ours, the first of them for any other text, "" when there is
	// none. It comes from the configuration, never from a request (CS-08).
	Origin func(host string) string
	// Known reports whether a host is ours, so that no made-up Host header appears in a mail.
	Known func(host string) bool
	Base  string // prefix of the gateway's pages
}

//go:embed templates
var templates embed.FS

var (
	textPage = texttemplate.Must(texttemplate.ParseFS(templates, "templates/notice.txt"))
	htmlPage = htmltemplate.Must(htmltemplate.ParseFS(templates, "templates/notice.html"))
)

// row is a line of the facts.
type row struct{ Name, Value string }

type page struct {
	Brand, Lead, Advice, Link, Support string
	Rows                               []row
}

// Write writes the notice of a kind. An unknown kind, or facts that cannot be read, is an error: it can never be sent.
func (w Writer) Write(kind, facts string) (Message, error) {
	f, err := decodeFacts(facts)
	if err != nil {
		return Message{}, err
	}
	words, ok := notices[kind]
	if !ok {
		return Message{}, fmt.Errorf("unknown notice %q", kind)
	}
	if v, ok := words.by[f.Factor]; ok {
		words = v.or(words)
	}
	brand := cut(line(w.Brand), 64)
	p := page{Brand: brand, Lead: words.lead, Advice: words.advice, Support: cut(line(w.Support), 254), Rows: w.rows(f)}
	if origin := w.Origin(f.Host); origin != "" {
		p.Link = origin + w.Base + "/" + words.page
	}
	m := Message{Subject: strings.ReplaceAll(words.subject, "{brand}", brand)}
	var text, html bytes.Buffer
	if err := textPage.Execute(&text, p); err != nil {
		return Message{}, err
	}
	if err := htmlPage.Execute(&html, p); err != nil {
		return Message{}, err
	}
	m.Text, m.HTML = text.String(), html.String()
	return m, nil
}

func (w Writer) rows(f Facts) []row {
	rows := []row{{"Account", f.Account}, {"Time", f.At.UTC().Format("2 January 2006, 15:04:05 UTC")}}
	if f.Other {
		return append(rows, row{"Done by", "whoever runs this site"})
	}
	if f.Address != "" {
		rows = append(rows, row{"Address", f.Address})
	}
	switch {
	case f.Browser != "" && f.System != "":
		rows = append(rows, row{"Browser", f.Browser + " on " + f.System})
	case f.Browser+f.System != "":
		rows = append(rows, row{"Browser", f.Browser + f.System})
	default:
		rows = append(rows, row{"Browser", "unknown"})
	}
	if w.Known(f.Host) {
		rows = append(rows, row{"Site", f.Host})
	}
	for i := range rows {
		rows[i].Value = cut(line(rows[i].Value), 254)
	}
	return rows
}
