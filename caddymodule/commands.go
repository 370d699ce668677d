package caddymodule

import (
	"fmt"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/truxeio/caddy-truxe/internal/console"
	"github.com/truxeio/caddy-truxe/internal/nearest"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "truxe",
		Usage: "<command>",
		Short: "Manages users, roles, sessions, keys and the audit log of the authentication gateway",
		Long: `
Manages the authentication gateway. --config says which one: the command talks to the admin endpoint of the running
Caddy, and opens the database itself when Caddy is stopped.

Data goes to stdout, everything else to stderr: a table on a terminal, tab-separated in a pipe, or what -o says.
Exit codes: 0 ok, 1 failed, 2 usage, 3 invalid configuration or policy, 4 tests failed or
explain says no, 5 cannot reach server or store.`,
		CobraFunc: buildCommands,
	})
}

func buildCommands(root *cobra.Command) {
	cli := &cli{}
	flags := root.PersistentFlags()
	flags.StringVarP(&cli.configFile, "config", "c", "",
		"configuration file of the gateway (default: Caddyfile in this directory)")
	flags.StringVarP(&cli.adapter, "adapter", "a", "", "name of the config adapter")
	flags.StringVar(&cli.address, "address", "", "admin endpoint of the running Caddy (default: from the configuration)")
	flags.StringVarP(&cli.format, "output", "o", "", "table, tsv, json, jsonl or yaml")
	flags.BoolVarP(&cli.quiet, "quiet", "q", false, "print ids only")

	root.AddCommand(cli.setup(), cli.users(), cli.roles(), cli.sessions(), cli.policy(), cli.explain(), cli.keys(),
		cli.audit())
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(usageError)
	root.RunE = groupRun
}

// command returns one leaf of the command tree.
func command(use, short, example string, args cobra.PositionalArgs,
	run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Example: example, SilenceErrors: true, SilenceUsage: true,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, got []string) error {
			if err := args(cmd, got); err != nil {
				return usageError(cmd, err)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return exitError(run(cmd, args)) },
	}
}

func group(use, short string, children ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, SilenceErrors: true, SilenceUsage: true, RunE: groupRun}
	g.AddCommand(children...)
	return g
}

// groupRun shows the help of a group, or says what is no command of it.
func groupRun(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var known []string
	for _, c := range cmd.Commands() {
		known = append(known, c.Name())
	}
	return usageError(cmd, fmt.Errorf("unknown command %q%s", strings.Join(args, " "), nearest.Hint(args[0], known)))
}

func (c *cli) setup() *cobra.Command {
	var username, email, name string
	var stdin, link bool
	cmd := command("setup", "Creates the first administrator, or makes a new setup link",
		"  caddy truxe setup\n  caddy truxe setup --link", cobra.NoArgs, func(*cobra.Command, []string) error {
			if link {
				return c.show("setup.link", nil)
			}
			if err := c.ask(&username, "User name: "); err != nil {
				return err
			}
			if err := c.ask(&email, "Email (may be empty): "); err != nil && email == "" && !stdin {
				return err
			}
			password, err := c.readPassword(stdin)
			if err != nil {
				return err
			}
			return c.show("setup.create", console.FirstAdmin{Username: username, Email: email, Name: name, Password: password})
		})
	f := cmd.Flags()
	f.BoolVar(&link, "link", false, "only print a new one-time setup link")
	f.StringVar(&username, "username", "", "user name")
	f.StringVar(&email, "email", "", "e-mail address")
	f.StringVar(&name, "name", "", "display name")
	f.BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	return cmd
}

func (c *cli) users() *cobra.Command {
	var email, name, search, cursor, passwordFile string
	var roles []string
	var stdin, yes, noPassword bool
	var limit int
	add := command("add <username>", "Creates a user",
		"  caddy truxe users add alice --email alice@example.com --role staff\n  caddy truxe users add bob --password-stdin < secret.txt",
		cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error {
			in := console.NewUser{Username: args[0], Email: email, Name: name, Roles: roles}
			if !noPassword {
				var err error
				if in.Password, err = c.passwordFrom(passwordFile, stdin); err != nil {
					return err
				}
			}
			return c.show("users.add", in)
		})
	add.Flags().StringVar(&email, "email", "", "e-mail address")
	add.Flags().StringVar(&name, "name", "", "display name")
	add.Flags().StringSliceVar(&roles, "role", nil, "role; may be given more than once")
	add.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	add.Flags().StringVar(&passwordFile, "password-file", "", "read the password from a file")
	add.Flags().BoolVar(&noPassword, "no-password", false, "create the user without a password")
	list := command("list", "Lists users", "  caddy truxe users list\n  caddy truxe users list --search al -o json",
		cobra.NoArgs,
		func(*cobra.Command, []string) error {
			return c.show("users.list", console.UserQuery{Search: search, Cursor: cursor, Limit: limit})
		})
	list.Flags().StringVar(&search, "search", "", "part of a name or address")
	list.Flags().StringVar(&cursor, "cursor", "", "where the page before ended")
	list.Flags().IntVar(&limit, "limit", 100, "users per page, 1 to 1000")
	simple := func(use, short, call string) *cobra.Command {
		return command(use+" <username>", short, "  caddy truxe users "+use+" alice\n  caddy truxe users "+use+
			" alice -o json", cobra.ExactArgs(1),
			func(_ *cobra.Command, args []string) error { return c.show(call, console.UserArg{User: args[0]}) })
	}
	remove := command("delete <username>", "Deletes a user; sessions and tokens end at once",
		"  caddy truxe users delete alice\n  caddy truxe users delete alice --yes",
		cobra.ExactArgs(1), func(_ *cobra.Command, args []string) error {
			if err := c.confirm(yes, "Delete 1 user, "+args[0]+"?"); err != nil {
				return err
			}
			return c.show("users.delete", console.UserArg{User: args[0]})
		})
	remove.Flags().BoolVar(&yes, "yes", false, "do not ask")
	reset := command("reset-mfa <username>", "Removes all second factors of a user; sessions and tokens end at once",
		"  caddy truxe users reset-mfa alice\n  caddy truxe users reset-mfa alice --yes", cobra.ExactArgs(1),
		func(_ *cobra.Command, args []string) error {
			if err := c.confirm(yes, "Remove authenticator app, passkeys and recovery codes of "+args[0]+"?"); err != nil {
				return err
			}
			return c.show("users.reset-mfa", console.UserArg{User: args[0]})
		})
	reset.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return group("users", "Lists, creates, disables and deletes users", add, list,
		simple("show", "Shows one user", "users.show"),
		simple("disable", "Disables a user; sessions and tokens end at once", "users.disable"),
		simple("enable", "Lets a disabled user sign in again", "users.enable"), reset, remove)
}

func (c *cli) roles() *cobra.Command {
	change := func(use, short string) *cobra.Command {
		return command(use+" <username> <role...>", short, "  caddy truxe roles "+use+" alice staff\n  caddy truxe roles "+
			use+" alice staff auditor -o json",
			cobra.MinimumNArgs(2), func(_ *cobra.Command, args []string) error {
				return c.show("roles."+use, console.RoleChange{User: args[0], Roles: args[1:]})
			})
	}
	return group("roles", "Lists, grants and revokes roles",
		command("list", "Lists the roles that policies define and those that users have",
			"  caddy truxe roles list\n  caddy truxe roles list -o json", cobra.NoArgs,
			func(*cobra.Command, []string) error { return c.show("roles.list", nil) }),
		command("show <role>", "Shows one role: what it grants, and who has it",
			"  caddy truxe roles show staff\n  caddy truxe roles show staff -o yaml", cobra.ExactArgs(1),
			func(_ *cobra.Command, args []string) error {
				return c.show("roles.show", console.RoleArg{Role: args[0]})
			}),
		change("grant", "Gives a person roles; they count on the next request"),
		change("revoke", "Takes roles from a person; they count no more from the next request on"))
}

func (c *cli) sessions() *cobra.Command {
	var user, cursor string
	var limit int
	var yes bool
	list := command("list", "Lists live sessions", "  caddy truxe sessions list\n  caddy truxe sessions list --user alice",
		cobra.NoArgs,
		func(*cobra.Command, []string) error {
			return c.show("sessions.list", console.SessionQuery{User: user, Cursor: cursor, Limit: limit})
		})
	list.Flags().StringVar(&user, "user", "", "only those of this user")
	list.Flags().StringVar(&cursor, "cursor", "", "where the page before ended")
	list.Flags().IntVar(&limit, "limit", 100, "sessions per page, 1 to 1000")
	revoke := command("revoke [<session>]", "Ends a session, or all of a user",
		"  caddy truxe sessions revoke 4yq2…\n  caddy truxe sessions revoke --user alice",
		cobra.MaximumNArgs(1), func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (user != "") {
				return usageError(cmd, fmt.Errorf("name one session, or --user <username> for all of a user"))
			}
			in := console.SessionArg{User: user}
			if len(args) == 1 {
				in.Session = args[0]
			} else if err := c.confirm(yes, "End all sessions of "+user+"?"); err != nil {
				return err
			}
			return c.show("sessions.revoke", in)
		})
	revoke.Flags().StringVar(&user, "user", "", "all sessions of this user")
	revoke.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return group("sessions", "Lists and ends sessions", list, revoke)
}

func (c *cli) keys() *cobra.Command {
	return group("keys", "Lists and rotates signing keys, makes encryption keys",
		command("list", "Lists the signing keys", "  caddy truxe keys list\n  caddy truxe keys list -o json", cobra.NoArgs,
			func(*cobra.Command, []string) error { return c.show("keys.list", nil) }),
		command("rotate", "Lets a new signing key take over; tokens of the old one stay valid until they end",
			"  caddy truxe keys rotate\n  caddy truxe keys rotate -o json", cobra.NoArgs,
			func(*cobra.Command, []string) error { return c.show("keys.rotate", nil) }),
		command("new-secret", "Prints a fresh encryption key",
			"  caddy truxe keys new-secret\n  TRUXE_ENCRYPTION_KEY=$(caddy truxe keys new-secret)",
			cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return c.newSecret(cmd.OutOrStdout()) }))
}

func (c *cli) audit() *cobra.Command {
	var limit int
	var event, user, reference string
	var follow bool
	filters := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().StringVar(&event, "event", "", "only this event, such as authn_login_fail")
		cmd.Flags().StringVar(&user, "user", "", "only events by or about this user")
		cmd.Flags().StringVar(&reference, "reference", "", "only the event behind a reference such as R-7KQ2-X9FD")
		cmd.Flags().IntVarP(&limit, "lines", "n", 20, "how many events, 1 to 1000")
		return cmd
	}
	arguments := func(after int64) console.AuditQuery {
		return console.AuditQuery{Limit: limit, Event: event, User: user, Reference: reference, After: after}
	}
	list := filters(command("list", "Lists the latest audit events",
		"  caddy truxe audit list -n 50\n  caddy truxe audit list --event authn_login_fail -o jsonl",
		cobra.NoArgs, func(*cobra.Command, []string) error { return c.show("audit.list", arguments(0)) }))
	tail := filters(command("tail", "Prints the latest audit events and waits for more",
		"  caddy truxe audit tail\n  caddy truxe audit tail --event authz_fail -o jsonl",
		cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
			return c.tail(cmd.Context(), follow, arguments)
		}))
	tail.Flags().BoolVarP(&follow, "follow", "f", true, "wait for more")
	verify := command("verify [<file>]", "Checks the chain of the audit log for changes, gaps and reordering",
		"  caddy truxe audit verify\n  caddy truxe audit verify audit.jsonl", cobra.MaximumNArgs(1),
		func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return c.verifyFile(args[0])
			}
			return c.verify()
		})
	return group("audit", "Lists and verifies the audit log", list, tail, verify)
}
