// Package account is what can be done to people, their sessions and their tokens: sign in, sign out, revoke, create,
// disable, set up the first administrator. Pages, API and command line call the same functions.
package account

import (
	"github.com/truxeio/caddy-truxe/internal/change"
	"github.com/truxeio/caddy-truxe/internal/cluster"
	"github.com/truxeio/caddy-truxe/internal/credential"
	"github.com/truxeio/caddy-truxe/internal/policy"
	"github.com/truxeio/caddy-truxe/internal/ratelimit"
	"github.com/truxeio/caddy-truxe/internal/secret"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// Accounts acts on people and their sessions.
type Accounts struct {
	*change.Changes
	Cluster   cluster.Cluster
	Hasher    *credential.Hasher
	Passwords credential.Policy
	Guard     *ratelimit.Guard
	Ring      *token.Ring
	Issuer    *token.Issuer
	Refresher *token.Refresher
	Metrics   Metrics

	// MFA says who must have a second factor.
	MFA MFARule
	// Box seals authenticator secrets and codes that are being shown; Keyed keys the hashes of recovery codes, at least 32
	// bytes and the same on all nodes.
	Box   *secret.Box
	Keyed []byte
	// Brand is the issuer that authenticator apps show.
	Brand string
	// Origins lists the origins of a folded host, such as "https://app.example.com", for passkeys: one for each port at which
	// browsers reach it. None for hosts that the configuration does not name.
	Origins func(host string) []string
}

// Metrics counts what happens to accounts.
type Metrics interface {
	Login(method, outcome string)
	RateLimited(limit string)
}
