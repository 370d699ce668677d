package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/truxeio/caddy-truxe/internal/console"
	"github.com/truxeio/caddy-truxe/internal/gateway"
	"github.com/truxeio/caddy-truxe/internal/policy/policyfile"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// exitTests is the exit code of failed tests, and of explanations that say no (CONTRACT section 9).
const exitTests = 4

// policy are the commands about rules. test and lint look at files only; the others ask the gateway.
func (c *cli) policy() *cobra.Command {
	return group("policy", "Tests, checks, shows and explains rules", c.policyTest(), c.policyLint(), c.policyShow(),
		c.policyExplain(), c.policyDiff())
}

func (c *cli) policyTest() *cobra.Command {
	var junit string
	cmd := command("test [<folder>]", "Runs the *_test.yaml beside the policy files",
		"  caddy truxe policy test\n  caddy truxe policy test ./policies --junit report.xml", cobra.MaximumNArgs(1),
		func(_ *cobra.Command, args []string) error {
			_, doc, report, err := c.tested(args)
			if err != nil {
				return err
			}
			if junit != "" {
				if err := writeJUnit(junit, report); err != nil {
					return err
				}
			}
			switch {
			case c.format == "json":
				err = json.NewEncoder(os.Stdout).Encode(report)
			case len(report.Files) == 0:
				fmt.Fprintf(os.Stderr, "no tests: there is no *_test.yaml beside %d rules\n", len(doc.Rules))
			default:
				err = report.WriteText(os.Stdout)
			}
			if err == nil && report.Failed > 0 {
				err = &coded{code: exitTests, err: fmt.Errorf("%d of %d cases failed", report.Failed, report.Cases)}
			}
			return err
		})
	cmd.Flags().StringVar(&junit, "junit", "", "also write a JUnit XML file, for CI servers")
	return cmd
}

func writeJUnit(file string, report *policyfile.Report) error {
	f, err := os.Create(filepath.Clean(file))
	if err != nil {
		return err
	}
	return errors.Join(report.WriteJUnit(f), f.Close())
}

func (c *cli) policyLint() *cobra.Command {
	return command("lint [<folder>]", "Finds what is valid in policy files and looks wrong",
		"  caddy truxe policy lint\n  caddy truxe policy lint ./policies -o json", cobra.MaximumNArgs(1),
		func(_ *cobra.Command, args []string) error {
			config, doc, report, err := c.tested(args)
			if err != nil {
				return err
			}
			context := policyfile.Context{Report: report}
			if config != nil {
				context.Hosts, context.Roles = config.Hosts(), config.RolesNamed()
			}
			findings := policyfile.Lint(doc, context)
			if c.format == "json" {
				return json.NewEncoder(os.Stdout).Encode(findings)
			}
			warnings := 0
			for _, f := range findings {
				fmt.Println(text(f.String()))
				if !f.Note {
					warnings++
				}
			}
			if warnings > 0 {
				return fmt.Errorf("%d warning(s)", warnings)
			}
			fmt.Fprintf(os.Stderr, "ok    %d rules, nothing to warn of\n", len(doc.Rules))
			return nil
		})
}

// tested reads policy files and runs their tests: of the folder that is named, or of the configuration's. The
// configuration is nil when a folder is named and no configuration lies here.
func (c *cli) tested(args []string) (*gateway.Config, *policyfile.Document, *policyfile.Report, error) {
	config, dir, err := c.policyDir(args)
	if err != nil {
		return nil, nil, nil, err
	}
	doc, report, err := rules.Test(dir)
	if err != nil {
		return nil, nil, nil, &coded{code: exitConfig, err: err}
	}
	return config, doc, report, nil
}

func (c *cli) policyDir(args []string) (*gateway.Config, string, error) {
	raw, err := c.load()
	if err != nil {
		return nil, "", err
	}
	var config *gateway.Config
	dir := ""
	if raw != nil {
		cfg, err := offlineConfig(raw, false)
		if err != nil {
			return nil, "", &coded{code: exitConfig, err: err}
		}
		config, dir = &cfg, cfg.Policies
	}
	if len(args) == 1 {
		return config, args[0], nil
	}
	if dir == "" {
		return nil, "", &coded{code: exitUsage,
			err: errors.New("name the folder of policy files; the configuration has no `policies` option"),
			try: "caddy truxe policy test ./policies"}
	}
	return config, dir, nil
}

func (c *cli) policyShow() *cobra.Command {
	var site string
	cmd := command("show", "Lists the rules in force, those of the Caddyfile included",
		"  caddy truxe policy show\n  caddy truxe policy show --site orders.example.com -o yaml",
		cobra.NoArgs, func(*cobra.Command, []string) error { return c.show("policy.show", console.SiteArg{Site: site}) })
	cmd.Flags().StringVar(&site, "site", "", "only the rules that hold at this host")
	return cmd
}

func (c *cli) policyDiff() *cobra.Command {
	var since string
	cmd := command("diff <old> <new>", "Tries new policy files on recent requests: which users gain access, which lose it",
		"  caddy truxe policy diff ./policies ./policies-next\n  caddy truxe policy diff ./policies ./policies-next --audit 7d -o json", cobra.ExactArgs(2),
		func(_ *cobra.Command, args []string) error {
			in := console.DiffQuery{Since: since}
			for i, sources := range []*[]policyfile.Source{&in.Old, &in.New} {
				var err error
				if *sources, err = rules.ReadDir(args[i]); err == nil {
					_, err = policyfile.Parse(*sources)
				}
				if err != nil {
					return &coded{code: exitConfig, err: err}
				}
			}
			return c.show("policy.diff", in)
		})
	cmd.Flags().StringVar(&since, "audit", "7d", "how far back, such as 24h or 30d")
	return cmd
}
