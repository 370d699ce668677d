package caddymodule

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/truxeio/caddy-truxe/internal/audit"
	"github.com/truxeio/caddy-truxe/internal/claim"
	"github.com/truxeio/caddy-truxe/internal/console"
	"github.com/truxeio/caddy-truxe/internal/gateway"
	"github.com/truxeio/caddy-truxe/internal/identity"
	"github.com/truxeio/caddy-truxe/internal/regular"
	"github.com/truxeio/caddy-truxe/internal/rules"
)

// Exit codes of CONTRACT section 9.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitConfig      = 3
	exitUnreachable = 5
)

// maxPasswordFile bounds what is read as a password, in bytes.
const maxPasswordFile = 4096

// cli is one run of `caddy truxe …`.
type cli struct {
	configFile, adapter, address, format string
	quiet                                bool
	input                                *bufio.Reader
}

// coded is an error with an exit code and a hint what to do.
type coded struct {
	code int
	err  error
	try  string
}

func (e *coded) Error() string { return e.err.Error() }

func (e *coded) Unwrap() error { return e.err }

// exitError prints an error and ends with its exit code. Caddy itself knows only 0 and 1.
func exitError(err error) error {
	if err == nil {
		return nil
	}
	code, try := exitFailed, ""
	var c *coded
	if errors.As(err, &c) {
		code, try = c.code, c.try
	}
	fmt.Fprintln(os.Stderr, "Error:", err)
	if try != "" {
		fmt.Fprintln(os.Stderr, "Try:", try)
	}
	os.Exit(code)
	return nil
}

func usageError(cmd *cobra.Command, err error) error {
	return exitError(&coded{code: exitUsage, err: err, try: cmd.CommandPath() + " --help"})
}

// call runs one administrative call: at the running Caddy, or on the store itself when Caddy is stopped.
func (c *cli) call(ctx context.Context, name string, args any) (json.RawMessage, error) {
	body, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	config, err := c.load()
	if err != nil {
		return nil, err
	}
	address, err := caddycmd.DetermineAdminAPIAddress(c.address, config, c.configFile, c.adapter)
	if err != nil {
		return nil, &coded{code: exitConfig, err: err}
	}
	out, err := remote(ctx, address, name, body)
	var refused *net.OpError
	if errors.As(err, &refused) && c.address == "" {
		if config == nil {
			return nil, &coded{code: exitUnreachable,
				err: fmt.Errorf("no Caddy answers at %s, and no configuration file was given", address),
				try: "caddy truxe --config Caddyfile …"}
		}
		return local(ctx, config, name, body)
	}
	return out, err
}

// load reads the configuration; nil when none is named and none lies here.
func (c *cli) load() ([]byte, error) {
	if c.configFile == "" {
		if _, err := os.Stat("Caddyfile"); err != nil {
			return nil, nil //nolint:nilerr // none to read
		}
		c.configFile = "Caddyfile"
	}
	config, err := adapt(c.configFile, c.adapter)
	if err != nil {
		return nil, &coded{code: exitConfig, err: err}
	}
	return config, nil
}

func remote(ctx context.Context, address, name string, body []byte) (json.RawMessage, error) {
	resp, err := ask(ctx, address, adminPath+name, body)
	if err != nil {
		return nil, &coded{code: exitUnreachable, err: err}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, &coded{code: exitUnreachable, err: err}
	}
	if resp.StatusCode == http.StatusOK {
		return raw, ctx.Err()
	}
	var answer struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(raw, &answer)
	if answer.Error == "" {
		answer.Error = resp.Status
	}
	failure := &coded{code: exitFailed, err: errors.New(answer.Error)}
	if resp.StatusCode == http.StatusServiceUnavailable {
		failure.code = exitUnreachable
	}
	return nil, failure
}

// local opens the store without a running Caddy. A store that a running gateway holds for itself is refused: it would
// not learn of the change.
func local(ctx context.Context, config []byte, name string, body []byte) (json.RawMessage, error) {
	cfg, err := offlineConfig(config, true)
	if err != nil {
		return nil, &coded{code: exitConfig, err: err}
	}
	if file := cfg.StoreFile(); file != "" {
		fmt.Fprintln(os.Stderr, "Caddy is stopped; using the store", file)
	}
	result, err := gateway.Offline(ctx, cfg, name, body)
	switch {
	case errors.Is(err, claim.ErrInUse):
		return nil, &coded{code: exitUnreachable, err: err,
			try: "stop that Caddy, or enable its admin endpoint, which was not reached: admin unix//run/caddy/admin.sock"}
	case errors.Is(err, gateway.ErrNoStore):
		return nil, &coded{code: exitUnreachable, err: err,
			try: "run it as the user that runs Caddy, with the same HOME and XDG_DATA_HOME; a new store is made by: caddy truxe setup"}
	}
	if err != nil {
		var known *identity.Error
		if errors.As(err, &known) && known.Code != identity.CodeStateUnavailable {
			return nil, errors.New(known.Detail)
		}
		return nil, &coded{code: exitUnreachable, err: err}
	}
	return json.Marshal(result)
}

// offlineConfig reads our app and the sites out of an adapted configuration; policies: the files of rules too.
func offlineConfig(config []byte, policies bool) (gateway.Config, error) {
	var c struct {
		Apps struct {
			Truxe App           `json:"truxe"`
			HTTP  caddyhttp.App `json:"http"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return gateway.Config{}, err
	}
	cfg, err := c.Apps.Truxe.resolve()
	if err == nil && policies {
		cfg.Rules, err = rules.Open(cfg.Policies)
	}
	if err != nil {
		return cfg, err
	}
	sites, err := findSites(&c.Apps.HTTP, cfg.Base())
	if err != nil {
		return cfg, err
	}
	for _, s := range sites {
		cfg.Sites = append(cfg.Sites, s.infos()...)
	}
	if policies {
		if err := registerSites(cfg.Rules, sites); err != nil {
			return cfg, err
		}
	}
	cfg.Metrics = collectors
	return cfg, nil
}

// ask reads a line from the terminal when a value was not given as a flag.
func (c *cli) ask(into *string, prompt string) error {
	if *into != "" {
		return nil
	}
	if !c.interactive() {
		return &coded{code: exitUsage, err: fmt.Errorf("%sgive it as a flag: this is not a terminal",
			strings.ToLower(prompt))}
	}
	fmt.Fprint(os.Stderr, prompt)
	line, err := c.stdin().ReadString('\n')
	*into = strings.TrimSpace(line)
	return err
}

func (c *cli) stdin() *bufio.Reader {
	if c.input == nil {
		c.input = bufio.NewReader(os.Stdin)
	}
	return c.input
}

func (c *cli) interactive() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// passwordFrom reads a password from a file, standard input or, without echo and twice, the terminal. Never from a
// flag: those show in the list of processes.
func (c *cli) passwordFrom(file string, stdin bool) (string, error) {
	if file == "" {
		return c.readPassword(stdin)
	}
	raw, err := regular.Read(filepath.Clean(file), maxPasswordFile)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}

func (c *cli) readPassword(stdin bool) (string, error) {
	if stdin {
		raw, err := io.ReadAll(io.LimitReader(c.stdin(), maxPasswordFile))
		return strings.TrimRight(string(raw), "\r\n"), err
	}
	if !c.interactive() {
		return "", &coded{code: exitUsage, err: errors.New("this is not a terminal: give the password with --password-stdin")}
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(os.Stderr, prompt)
		raw, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return "", err
		}
		typed[i] = string(raw)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ")
	}
	return typed[0], nil
}

// confirm asks before something that cannot be undone.
func (c *cli) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if !c.interactive() {
		return &coded{code: exitUsage, err: errors.New("this cannot be undone: add --yes")}
	}
	fmt.Fprint(os.Stderr, question+" [y/N] ")
	line, err := c.stdin().ReadString('\n')
	if err != nil {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

func (c *cli) newSecret(w io.Writer) error {
	var key [32]byte
	_, _ = rand.Read(key[:])
	_, err := fmt.Fprintln(w, base64.StdEncoding.EncodeToString(key[:]))
	return err
}

// tail prints the latest events, oldest first, and polls for more until interrupted.
func (c *cli) tail(ctx context.Context, follow bool, arguments func(after int64) console.AuditQuery) error {
	var after int64
	for {
		raw, err := c.call(ctx, "audit.tail", arguments(after))
		if err != nil {
			return err
		}
		var page console.AuditTail
		if err := json.Unmarshal(raw, &page); err != nil {
			return err
		}
		if err := c.printEvents(page.Items); err != nil {
			return err
		}
		after = page.Last
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func (c *cli) verify() error {
	raw, err := c.call(context.Background(), "audit.verify", nil)
	if err != nil {
		return err
	}
	var report audit.Report
	if err := json.Unmarshal(raw, &report); err != nil {
		return err
	}
	return c.report(report)
}

func (c *cli) verifyFile(path string) error {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := audit.VerifyFile(f)
	if err != nil {
		return err
	}
	return c.report(report)
}
