package caddymodule

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/truxeio/caddy-truxe/internal/nearest"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("truxe", parseGlobalOption)
}

// parseGlobalOption reads the `truxe` global option. Several blocks add up.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	app := new(App)
	if prev, ok := existing.(httpcaddyfile.App); ok {
		if err := json.Unmarshal(prev.Value, app); err != nil {
			return nil, err
		}
	}
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "truxe", Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile reads:
//
//	truxe {
//		portal         <host> | <origin>
//		path           <prefix>
//		storage        sqlite [<file>] | postgres <dsn>
//		redis          <url> { prefix <prefix> ; on_loss deny | stale [<max age>] }
//		encryption_key <key> [<older key>...]
//		jwt            { issuer ; audience ; access ; refresh ; rotate ; bits ; private_key ; trust <issuer> { … } }
//		session        { idle ; max ; remember ; limit }
//		password       { min_length ; min_length_with_mfa ; hash bcrypt [<cost>] | argon2id ; breached <file> }
//		mfa            optional | required [for role <role...>]
//		rate_limit     login|address <events> <window>
//		policies       <directory>
//		users_file     <file>
//		smtp           <url> { from <address> }
//		audit          { file <path> ; on_failure deny|continue }
//		cors           <origin...>
//		brand          { name ; logo ; accent ; support }
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		if d.NextArg() {
			return d.ArgErr()
		}
		w := words{
			"portal":  func() error { return a.readPortal(d) },
			"path":    func() error { return oneArg(d, &a.Path) },
			"storage": func() error { return a.readStorage(d) },
			"redis":   func() error { return a.readRedis(d) },
			"encryption_key": func() error {
				return kept(d, someArgs(d, &a.EncryptionKeys),
					func() error { return refuseKeyInText("encryption_key", a.EncryptionKeys...) })
			},
			"jwt":        func() error { return a.readJWT(d) },
			"session":    func() error { return a.readSession(d) },
			"password":   func() error { return a.readPassword(d) },
			"mfa":        func() error { return a.readMFA(d) },
			"rate_limit": func() error { return a.readRateLimit(d) },
			"policies":   func() error { return oneArg(d, &a.Policies) },
			"users_file": func() error { return oneArg(d, &a.UsersFile) },
			"smtp":       func() error { return a.readSMTP(d) },
			"audit":      func() error { return a.readAudit(d) },
			"cors":       func() error { return someArgs(d, &a.CORS) },
			"brand":      func() error { return a.readBrand(d) },
		}
		maps.Copy(w, later(d, "provider", "webhook"))
		if err := readBlock(d, "option", w); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) readStorage(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	s := &Storage{Driver: d.Val()}
	args := d.RemainingArgs()
	if len(args) > 0 {
		s.DSN = args[0]
	}
	switch {
	case s.Driver != "sqlite" && s.Driver != "postgres":
		return d.Err(unknownStorage(s.Driver))
	case len(args) > 1:
		return d.Errf("storage %s takes one value, not %d; put a value with spaces into the environment and write: storage %s {env.TRUXE_DATABASE}", s.Driver, len(args), s.Driver)
	case s.Driver == "postgres" && len(args) == 0:
		return d.Err("storage postgres needs a connection string, for example postgres://truxe@127.0.0.1/truxe")
	}
	if err := refuseStorage(s); err != nil {
		return d.Err(err.Error())
	}
	a.Storage = s
	return nil
}

// unknownStorage does not repeat a connection string that was written without its word.
func unknownStorage(driver string) string {
	if strings.Contains(driver, ":") {
		return "storage is `sqlite [<file>]` or `postgres <connection string>`; the word is missing"
	}
	named := ""
	if len(driver) <= 16 && !strings.ContainsFunc(driver, func(r rune) bool { return r < 'a' || r > 'z' }) {
		named = ` "` + driver + `"`
	}
	return "unknown storage" + named + "; use `storage sqlite [<file>]` or `storage postgres <connection string>`"
}

func (a *App) readRedis(d *caddyfile.Dispenser) error {
	r := new(Redis)
	if err := secretArg(d, "redis", "redis {env.TRUXE_REDIS}", &r.URL); err != nil {
		return err
	}
	if err := refuseRedis(r); err != nil {
		return d.Err(err.Error())
	}
	a.Redis = r
	return readBlock(d, "option of redis", words{
		"prefix": func() error { return oneArg(d, &r.Prefix) },
		"on_loss": func() error {
			args := d.RemainingArgs()
			switch {
			case len(args) == 1 && (args[0] == "deny" || args[0] == "stale"):
			case len(args) == 2 && args[0] == "stale":
				age, err := parseDuration(d, "on_loss stale", args[1])
				if err != nil {
					return err
				}
				r.OnLossMaxAge = age
			default:
				return d.Err("on_loss is `deny` or `stale <max age>`")
			}
			r.OnLoss = args[0]
			return nil
		},
	})
}

func (a *App) readJWT(d *caddyfile.Dispenser) error {
	if a.JWT == nil {
		a.JWT = new(JWT)
	}
	j := a.JWT
	return readBlock(d, "option of jwt", words{
		"issuer":   func() error { return oneArg(d, &j.Issuer) },
		"audience": func() error { return someArgs(d, &j.Audience) },
		"access":   func() error { return duration(d, &j.Access) },
		"refresh":  func() error { return duration(d, &j.Refresh) },
		"rotate":   func() error { return duration(d, &j.Rotate) },
		"bits":     func() error { return number(d, &j.Bits, 2048, 4096) },
		"private_key": func() error {
			return kept(d, secretArg(d, "private_key", "private_key {env.TRUXE_PRIVATE_KEY}", &j.PrivateKey),
				func() error { return refuseKeyInText("private_key", j.PrivateKey) })
		},
		"trust": func() error {
			t, err := readTrust(d)
			if err == nil {
				j.Trust = append(j.Trust, t)
			}
			return err
		},
	})
}

// readTrust reads a trusted issuer.
func readTrust(d *caddyfile.Dispenser) (Trust, error) {
	var t Trust
	if err := oneArg(d, &t.Issuer); err != nil {
		return t, err
	}
	err := readBlock(d, "option of trust", words{
		"jwks": func() error {
			return kept(d, oneArg(d, &t.JWKS), func() error { return refuseUserInJWKS(t.JWKS) })
		},
		"audience":        func() error { return someArgs(d, &t.Audience) },
		"subject_claim":   func() error { return oneArg(d, &t.SubjectClaim) },
		"roles_claim":     func() error { return oneArg(d, &t.RolesClaim) },
		"username_prefix": func() error { return oneArg(d, &t.UsernamePrefix) },
		"typ":             func() error { return someArgs(d, &t.Typ) },
		"alg":             func() error { return someArgs(d, &t.Alg) },
		"role": func() error {
			args := d.RemainingArgs()
			if len(args) < 3 || args[1] != "from" {
				return d.Err("write: role <ours> from <theirs...>")
			}
			t.Roles = append(t.Roles, TrustRole{Role: args[0], From: args[2:]})
			return nil
		},
	})
	if err == nil && (t.JWKS == "" || len(t.Audience) == 0) {
		err = d.Errf("trust %s needs jwks and audience", t.Issuer)
	}
	return t, err
}

func (a *App) readSession(d *caddyfile.Dispenser) error {
	if a.Session == nil {
		a.Session = new(Session)
	}
	s := a.Session
	return readBlock(d, "option of session", words{
		"idle":     func() error { return duration(d, &s.Idle) },
		"max":      func() error { return duration(d, &s.Max) },
		"remember": func() error { return duration(d, &s.Remember) },
		"limit":    func() error { return number(d, &s.Limit, 1, 1000) },
	})
}

func (a *App) readPassword(d *caddyfile.Dispenser) error {
	if a.Password == nil {
		a.Password = new(Password)
	}
	p := a.Password
	return readBlock(d, "option of password", words{
		"min_length":          func() error { return number(d, &p.MinLength, 8, 128) },
		"min_length_with_mfa": func() error { return number(d, &p.MinLengthWithMFA, 8, 128) },
		"breached":            func() error { return oneArg(d, &p.Breached) },
		"hash": func() error {
			args := d.RemainingArgs()
			switch {
			case len(args) == 1 && (args[0] == "bcrypt" || args[0] == "argon2id"):
			case len(args) == 2 && args[0] == "bcrypt":
				cost, err := parseNumber(d, "hash bcrypt", args[1], 10, 15)
				if err != nil {
					return err
				}
				p.Cost = cost
			default:
				return d.Err("hash is `bcrypt [<cost>]` or `argon2id`")
			}
			p.Hash = args[0]
			return nil
		},
	})
}

// readMFA reads one line. Lines with roles add up; a line without them is for all users.
func (a *App) readMFA(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 0:
		return d.ArgErr()
	case args[0] != "optional" && args[0] != "required":
		return d.Errf("mfa cannot be %q%s", args[0], nearest.Hint(args[0], []string{"optional", "required"}))
	case args[0] == "optional" && len(args) > 1, len(args) > 1 && (len(args) < 4 || args[1] != "for" || args[2] != "role"):
		return d.Err("mfa is `optional` or `required [for role <role...>]`")
	case a.MFA != nil && (!a.MFA.Required || args[0] == "optional"):
		return d.Err("mfa is both `optional` and `required`; remove one of the lines")
	case a.MFA != nil && (len(a.MFA.Roles) == 0 || len(args) == 1):
		return d.Err("mfa is already required for all users; remove one of the lines")
	}
	if a.MFA == nil {
		a.MFA = &MFA{Required: args[0] == "required"}
	}
	if len(args) > 3 {
		a.MFA.Roles = append(a.MFA.Roles, args[3:]...)
	}
	return nil
}

func (a *App) readRateLimit(d *caddyfile.Dispenser) error {
	var which, events, window string
	if !d.AllArgs(&which, &events, &window) {
		return d.Err("rate_limit is `login|address <events> <window>`")
	}
	n, err := parseNumber(d, "rate_limit", events, 1, 1_000_000)
	if err != nil {
		return err
	}
	length, err := parseDuration(d, "rate_limit", window)
	if err != nil {
		return err
	}
	if a.RateLimits == nil {
		a.RateLimits = new(RateLimits)
	}
	rate := &Rate{Events: n, Window: length}
	switch which {
	case "login":
		a.RateLimits.Login = rate
	case "address":
		a.RateLimits.Address = rate
	default:
		return d.Errf("unknown rate_limit %q%s", which, nearest.Hint(which, []string{"login", "address"}))
	}
	return nil
}

func (a *App) readSMTP(d *caddyfile.Dispenser) error {
	s := new(SMTP)
	if err := secretArg(d, "smtp", "smtp {env.TRUXE_SMTP}", &s.URL); err != nil {
		return err
	}
	if err := refuseSMTP(s); err != nil {
		return d.Err(err.Error())
	}
	a.SMTP = s
	if err := readBlock(d, "option of smtp", words{"from": func() error { return oneArg(d, &s.From) }}); err != nil {
		return err
	}
	if s.From == "" {
		return d.Err(`smtp needs whom its mails are from, for example: from "Example <no-reply@example.com>"`)
	}
	return nil
}

func (a *App) readAudit(d *caddyfile.Dispenser) error {
	if a.Audit == nil {
		a.Audit = new(Audit)
	}
	return readBlock(d, "option of audit", words{
		"file":       func() error { return oneArg(d, &a.Audit.File) },
		"on_failure": func() error { return choice(d, &a.Audit.OnFailure, "deny", "continue") },
	})
}

func (a *App) readBrand(d *caddyfile.Dispenser) error {
	if a.Brand == nil {
		a.Brand = new(Brand)
	}
	b := a.Brand
	w := words{
		"logo":    func() error { return oneArg(d, &b.Logo) },
		"accent":  func() error { return oneArg(d, &b.Accent) },
		"support": func() error { return oneArg(d, &b.Support) },
		"name": func() error {
			args := d.RemainingArgs()
			if len(args) == 0 {
				return d.ArgErr()
			}
			b.Name = strings.Join(args, " ")
			return nil
		},
	}
	return readBlock(d, "option of brand", w)
}
