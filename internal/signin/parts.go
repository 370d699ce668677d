// Package signin signs users in: passwords, second factors, sign-ins whose second step is due, confirmations, tickets
// to other hosts, tokens, and the sessions that all of them lead to. Pages, API and command line call the same
// functions.
package signin

import (
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/session"
	"github.com/truxeio/caddy-truxe/internal/signin/grant"
	"github.com/truxeio/caddy-truxe/internal/signin/secondfactor"
	"github.com/truxeio/caddy-truxe/internal/signin/sessions"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// Config is what signing in depends on. All fields but MFA and Origins are required.
type Config struct {
	Changes        *change.Changes
	Cluster        cluster.Cluster
	Sessions       SessionTable
	Hasher         *credential.Hasher
	PasswordPolicy credential.Policy
	Guard          *ratelimit.Guard
	Issuer         *token.Issuer
	Refresher      *token.Refresher
	Metrics        Metrics

	// MFA says who must have a second factor.
	MFA MFARule
	// Box seals authenticator secrets and codes that are being shown.
	Box *secret.Box
	// CodeKey keys the hashes of recovery codes and the challenges of sign-ins. At least 32 bytes, the same on all nodes.
	CodeKey []byte
	// Brand is the issuer that authenticator apps show.
	Brand string
	// Origins returns the origins of a folded host, such as "https://app.example.com", for passkeys: one for each port at
	// which browsers reach it. None for hosts that the configuration does not name.
	Origins func(host string) []string
}

// SessionTable starts sessions, renews their secrets and notes their use. A *session.Table is one.
type SessionTable interface {
	sessions.Table
	grant.Sessions
}

// Metrics counts sign-ins.
type Metrics interface {
	Login(method, outcome string)
	RateLimited(limit string)
}

// Parts are the parts of signing in, each with the collaborators that it uses.
type Parts struct {
	SignIns       *SignIns
	HalfSignIns   *HalfSignIns
	Challenges    *Challenges
	Confirmations *Confirmations
	Passwords     *Passwords
	Factors       *Factors
	Sessions      *sessions.Sessions
	Devices       *Devices
	Tickets       *sessions.Tickets
	Tokens        *grant.Tokens
}

// New connects the parts.
func New(cfg Config) *Parts {
	c := cfg.Changes
	attempts := &attempts{changes: c, guard: cfg.Guard, metrics: cfg.Metrics}
	devices := &Devices{changes: c}
	all := &sessions.Sessions{Changes: c, Table: cfg.Sessions}
	opener := &opener{sessions: all, devices: devices}
	passkeys := &passkeys{changes: c, cluster: cfg.Cluster, key: cfg.CodeKey, brand: cfg.Brand, origins: cfg.Origins,
		attempts: attempts, devices: devices}
	totp := &secondfactor.Authenticators{Changes: c, Box: cfg.Box, Brand: cfg.Brand}
	recovery := &secondfactor.RecoveryCodes{Changes: c, Cluster: cfg.Cluster, Box: cfg.Box, Key: cfg.CodeKey}
	passwords := &Passwords{changes: c, policy: cfg.PasswordPolicy, hasher: cfg.Hasher, attempts: attempts,
		sessions: all}
	factors := &Factors{changes: c, mfa: cfg.MFA, passwords: cfg.PasswordPolicy, passkeys: passkeys, totp: totp,
		recovery: recovery, sessions: all}
	halves := &HalfSignIns{changes: c, metrics: cfg.Metrics, attempts: attempts, devices: devices, opener: opener,
		passkeys: passkeys, totp: totp, recovery: recovery, factors: factors}
	return &Parts{
		SignIns: &SignIns{changes: c, metrics: cfg.Metrics, attempts: attempts, devices: devices, opener: opener,
			passkeys: passkeys, passwords: passwords, factors: factors, halves: halves},
		HalfSignIns: halves,
		Challenges:  &Challenges{changes: c, passkeys: passkeys, halves: halves},
		Confirmations: &Confirmations{changes: c, attempts: attempts, sessions: all, passkeys: passkeys, totp: totp,
			recovery: recovery, passwords: passwords},
		Passwords: passwords,
		Factors:   factors,
		Sessions:  all,
		Devices:   devices,
		Tickets:   &sessions.Tickets{Sessions: all, Tickets: session.Tickets{Moments: cfg.Cluster}},
		Tokens:    &grant.Tokens{Changes: c, Sessions: cfg.Sessions, Issuer: cfg.Issuer, Refresher: cfg.Refresher},
	}
}
