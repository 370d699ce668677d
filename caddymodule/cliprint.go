package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/internal/audit"
)

// columns are what a table shows of each kind of row; JSON and YAML show everything.
var columns = map[string][]string{
	"users.list": {"username", "email", "name", "roles", "disabled", "last_seen"},
	"users.show": {"id", "username", "email", "name", "roles", "disabled", "managed", "created", "last_seen", "mfa",
		"recovery_codes", "passkeys", "trusted_browsers", "clock"},
	"roles.list":    {"role", "permissions", "inherits", "members", "defined"},
	"roles.show":    {"role", "description", "permissions", "inherits", "members", "users", "defined"},
	"sessions.list": {"id", "username", "host", "ip", "created", "last_seen", "expires", "amr"},
	"keys.list":     {"kid", "state", "source", "created", "activates", "retires", "expires"},
	"keys.rotate":   {"kid", "state", "activates"},
	"audit.list":    {"seq", "time", "event", "outcome", "actor", "subject", "ip", "reason", "reference"},
	"policy.show":   {"id", "effect", "hosts", "methods", "paths", "networks", "to", "require", "when", "mode", "place"},
	"policy.diff":   {"change", "user", "method", "host", "path", "old", "new", "code", "rule"},
	"setup.link":    {"url", "expires"},
	"setup.create":  {"id", "username", "roles"},
	"users.add":     {"id", "username", "email", "roles"},
}

// idColumn is what -q prints.
var idColumn = map[string]string{"roles.list": "role", "roles.show": "role", "keys.list": "kid", "keys.rotate": "kid",
	"audit.list": "seq", "policy.diff": "user", "setup.link": "url"}

// show runs a call and prints its answer.
func (c *cli) show(name string, args any) error {
	raw, err := c.call(context.Background(), name, args)
	if err != nil {
		return err
	}
	var answer struct {
		Items      *[]map[string]any `json:"items"`
		NextCursor string            `json:"next_cursor"`
		Message    string            `json:"message"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return err
	}
	if answer.Items == nil {
		var one map[string]any
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		answer.Items = &[]map[string]any{one}
		if answer.Message != "" && c.format == "" {
			fmt.Fprintln(os.Stderr, answer.Message)
			return nil
		}
	}
	if err := c.print(name, raw, *answer.Items); err != nil {
		return err
	}
	if answer.NextCursor != "" {
		fmt.Fprintln(os.Stderr, "more: --cursor", answer.NextCursor)
	}
	return nil
}

func (c *cli) print(name string, raw json.RawMessage, items []map[string]any) error {
	if c.quiet {
		id := idColumn[name]
		if id == "" {
			id = "id"
		}
		for _, item := range items {
			fmt.Println(text(item[id]))
		}
		return nil
	}
	switch c.format {
	case "json":
		_, err := os.Stdout.Write(append(raw, '\n'))
		return err
	case "jsonl":
		enc := json.NewEncoder(os.Stdout)
		for _, item := range items {
			if err := enc.Encode(item); err != nil {
				return err
			}
		}
		return nil
	case "yaml":
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		return yaml.NewEncoder(os.Stdout).Encode(v)
	case "", "table", "tsv":
		return c.table(name, items)
	}
	return &coded{code: exitUsage, err: fmt.Errorf("unknown output %q; use table, tsv, json, jsonl or yaml", c.format)}
}

func (c *cli) table(name string, items []map[string]any) error {
	cols := columns[name]
	if cols == nil && len(items) > 0 {
		for k := range items[0] {
			cols = append(cols, k)
		}
		slices.Sort(cols)
	}
	terminal := c.format == "table" || c.format == "" && term.IsTerminal(int(os.Stdout.Fd()))
	if !terminal {
		for _, item := range items {
			fmt.Println(strings.Join(row(item, cols, false), "\t"))
		}
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(cols, "\t")))
	for _, item := range items {
		fmt.Fprintln(w, strings.Join(row(item, cols, true), "\t"))
	}
	return w.Flush()
}

func row(item map[string]any, cols []string, terminal bool) []string {
	out := make([]string, len(cols))
	for i, col := range cols {
		out[i] = text(item[col])
		if terminal {
			out[i] = relative(out[i])
		}
	}
	return out
}

// text shows one value on one line. Control characters cannot steer the terminal.
func text(v any) string {
	var s string
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		s = v
	case float64:
		s = fmt.Sprintf("%.0f", v)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = text(v[i])
		}
		s = strings.Join(parts, ",")
	case map[string]any: // actor and subject of an event
		if s = text(v["name"]); s == "" {
			s = text(v["id"])
		}
	default:
		s = fmt.Sprint(v)
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '�'
		}
		return r
	}, s)
}

// relative shortens a time for terminals; pipes get UTC RFC 3339.
func relative(s string) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return s
	}
	d := time.Since(t)
	suffix := " ago"
	if d < 0 {
		d, suffix = -d, " from now"
	}
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s%s", int(d.Seconds()), suffix)
	case d < time.Hour:
		return fmt.Sprintf("%d min%s", int(d.Minutes()), suffix)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h%s", int(d.Hours()), suffix)
	}
	return fmt.Sprintf("%d d%s", int(d.Hours()/24), suffix)
}

// printEvents prints audit lines as they come.
func (c *cli) printEvents(lines []json.RawMessage) error {
	for _, line := range lines {
		var item map[string]any
		if err := json.Unmarshal(line, &item); err != nil {
			return err
		}
		if c.format == "json" || c.format == "jsonl" {
			fmt.Println(string(line))
			continue
		}
		fmt.Println(strings.Join(row(item, columns["audit.list"], false), "\t"))
	}
	return nil
}

// report prints what a verification found; any problem is exit code 1.
func (c *cli) report(r audit.Report) error {
	if c.format == "json" {
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	} else {
		for _, p := range r.Problems {
			fmt.Println(text(p))
		}
	}
	if len(r.Problems) > 0 {
		return fmt.Errorf("the audit log was altered: %d problem(s) in %d lines", len(r.Problems), r.Lines)
	}
	fmt.Fprintf(os.Stderr, "ok    audit      %d lines, %d to %d, chain intact\n", r.Lines, r.FirstSeq, r.LastSeq)
	return nil
}
