package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/truxeio/caddy-truxe/internal/console"
	"github.com/truxeio/caddy-truxe/internal/policy"
)

// explain prints what happened under a reference.
func (c *cli) explain() *cobra.Command {
	return command("explain <reference>", "Tells how the decision behind a reference came about",
		"  caddy truxe explain R-7KQ2-X9FD\n  caddy truxe explain R-7KQ2-X9FD -o json",
		cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error {
			return c.explained("explain", console.ReferenceArg{Reference: args[0]})
		})
}

func (c *cli) policyExplain() *cobra.Command {
	var user, method, url, ip string
	var mfa, passkey bool
	cmd := command("explain --url <url>", "Tells in advance what would be decided about a request",
		"  caddy truxe policy explain --user vic --method GET --url https://orders.example.com/admin\n  caddy truxe policy explain --url https://orders.example.com/healthz",
		cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
			if url == "" {
				return usageError(cmd, errors.New("--url is missing: the whole address that would be asked for"))
			}
			return c.explained("policy.explain", policy.Inquiry{User: user, Method: method, URL: url, IP: ip, MFA: mfa,
				Passkey: passkey})
		})
	f := cmd.Flags()
	f.StringVar(&user, "user", "", "who would send it (default: an anonymous visitor)")
	f.StringVar(&method, "method", "GET", "the method of the request")
	f.StringVar(&url, "url", "", "the address of the request")
	f.StringVar(&ip, "ip", "", "the address it would come from (default: not known)")
	f.BoolVar(&mfa, "mfa", false, "as if a second factor had just been shown")
	f.BoolVar(&passkey, "passkey", false, "as if a passkey had just been shown")
	return cmd
}

// explained prints an explanation; what does not end in allow is exit code 4.
func (c *cli) explained(call string, args any) error {
	raw, err := c.call(context.Background(), call, args)
	if err != nil {
		return err
	}
	var e policy.Explanation
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	switch c.format {
	case "json", "jsonl":
		fmt.Println(strings.TrimSpace(string(raw)))
	case "yaml":
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		if err := yaml.NewEncoder(os.Stdout).Encode(v); err != nil {
			return err
		}
	default:
		if err := printExplanation(e); err != nil {
			return err
		}
	}
	if e.Decision != "allow" && e.Decision != "success" {
		os.Exit(exitTests) // it is said already
	}
	return nil
}

func printExplanation(e policy.Explanation) error {
	who := "an anonymous visitor"
	if e.User != "" {
		who = e.User
		var more []string
		if len(e.Roles) > 0 {
			more = append(more, "roles "+strings.Join(e.Roles, ", "))
		}
		if len(e.AMR) > 0 {
			more = append(more, "amr "+strings.Join(e.AMR, ", "))
		}
		if len(more) > 0 {
			who += " (" + strings.Join(more, "; ") + ")"
		}
	}
	var from string
	if e.IP != "" {
		from = ", from " + e.IP
	}
	if e.Event != "" {
		fmt.Println(text(e.Event + ", " + e.Decision + "   " + who + from))
	} else {
		fmt.Println(text(e.Method + " " + e.URL + "   as " + who + from))
	}
	head := "DECISION " + e.Decision
	if e.Code != "" {
		head += ", " + string(e.Code)
	}
	if e.Reference != "" {
		head += "   " + e.Reference + "   " + e.Time
	}
	fmt.Println(text(head))
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, s := range e.Steps {
		name := s.Rule
		if s.Mode == "report" {
			name += " (report)"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", text(s.Effect), text(name), text(s.Outcome), text(s.Why), text(s.Place))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if e.Omitted > 0 {
		fmt.Printf("  … and %d more\n", e.Omitted)
	}
	for _, line := range []string{e.Reason, e.Remedy} {
		if line != "" {
			fmt.Println(text(line))
		}
	}
	return nil
}
