package caddymodule

import "github.com/caddyserver/caddy/v2"

// Storage says where users, sessions, keys and the audit log are kept.
type Storage struct {
	// The kind of database: `sqlite` (default) or `postgres`.
	Driver string `json:"driver,omitempty"`
	// SQLite: the file, by default `truxe/truxe.db` in Caddy's data directory; `{data_dir}` is that directory.
	// PostgreSQL: the connection string. Accepts `{env.*}` and `{file.*}`.
	DSN string `json:"dsn,omitempty"`
}

// Redis says what several gateways share. Without it, they share nothing.
type Redis struct {
	// The server: `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`. Accepts `{env.*}` and `{file.*}`.
	URL string `json:"url,omitempty"`
	// What every key begins with. Default: `truxe:`
	Prefix string `json:"prefix,omitempty"`
	// What happens while Redis cannot be reached: `deny` refuses at once, `stale` believes this node's own copy
	// of the revocations for `on_loss_max_age`, then refuses. Default: `stale`
	OnLoss string `json:"on_loss,omitempty"`
	// How long `stale` believes its copy. Default: `10s`
	OnLossMaxAge caddy.Duration `json:"on_loss_max_age,omitempty"`
}

// JWT holds the settings of access and refresh tokens.
type JWT struct {
	// The `iss` of access tokens. Default: `https://` and the portal host, or the host signed in at.
	Issuer string `json:"issuer,omitempty"`
	// The `aud` of access tokens. Default: `truxe`
	Audience []string `json:"audience,omitempty"`
	// How long an access token is valid. Default: `15m`
	Access caddy.Duration `json:"access,omitempty"`
	// How long a family of refresh tokens is valid, in all. Default: `30d`
	Refresh caddy.Duration `json:"refresh,omitempty"`
	// After how long a new signing key takes over. Default: `90d`
	Rotate caddy.Duration `json:"rotate,omitempty"`
	// The size of new RSA keys in bits: 2048 (default), 3072 or 4096. Verifying 3072 costs over six times as much.
	Bits int `json:"bits,omitempty"`
	// An RSA key to sign with instead of a generated one: PEM, or base64 of PEM. Accepts `{env.*}` and `{file.*}`.
	PrivateKey string `json:"private_key,omitempty"`
	// Other issuers whose access tokens are accepted.
	Trust []Trust `json:"trust,omitempty"`
}

// Trust accepts the access tokens of another issuer.
type Trust struct {
	// The exact `iss` of its tokens.
	Issuer string `json:"issuer"`
	// Its keys: an https URL or a file.
	JWKS string `json:"jwks"`
	// The audiences of ours that its tokens may name.
	Audience []string `json:"audience,omitempty"`
	// The claim that names the person. Default: `sub`
	SubjectClaim string `json:"subject_claim,omitempty"`
	// The claim that lists the roles of the issuer. Default: `roles`
	RolesClaim string `json:"roles_claim,omitempty"`
	// Which of our roles its roles map to. A role that is not mapped grants nothing. Default: none
	Roles []TrustRole `json:"roles,omitempty"`
	// What is put before the subject to make the user name, so that no foreign subject is taken for a user of this
	// gateway; `none` for subjects that are user names as they are. Default: the issuer and `|`
	UsernamePrefix string `json:"username_prefix,omitempty"`
	// The header `typ` of its tokens: `at+jwt`, `JWT` (or none), or both. Default: `at+jwt`
	Typ []string `json:"typ,omitempty"`
	// How its tokens are signed: `RS256`, `ES256`, `EdDSA`. Default: `RS256`
	Alg []string `json:"alg,omitempty"`
}

// TrustRole maps roles of a trusted issuer to a role of this gateway.
type TrustRole struct {
	// The role of this gateway. `admin` has every permission, those of the gateway itself included.
	Role string `json:"role"`
	// The issuer's names for it; any of them.
	From []string `json:"from"`
}

// Session holds the lifetimes of sign-ins.
type Session struct {
	// A session ends after this much inactivity. Default: `1h`
	Idle caddy.Duration `json:"idle,omitempty"`
	// A session ends after this long, in any case. Default: `24h`
	Max caddy.Duration `json:"max,omitempty"`
	// The same with "Keep me signed in". Default: `30d`
	Remember caddy.Duration `json:"remember,omitempty"`
	// How many sessions one person can have; the longest unused ends first. Default: 10
	Limit int `json:"limit,omitempty"`
}

// Password says how passwords are judged and stored.
type Password struct {
	// The least number of characters of a password that is the only factor. Default: 15
	MinLength int `json:"min_length,omitempty"`
	// The same for users with a second factor. Default: 8
	MinLengthWithMFA int `json:"min_length_with_mfa,omitempty"`
	// The algorithm of new hashes: `bcrypt` (default) or `argon2id`.
	Hash string `json:"hash,omitempty"`
	// The cost of bcrypt, 10 to 15. Default: 12
	Cost int `json:"cost,omitempty"`
	// A file of known breached passwords in the hash-range format of Have I Been Pwned, read where it lies.
	Breached string `json:"breached,omitempty"`
}

// MFA says who must have a second factor. Users without one set one up at the next sign-in.
type MFA struct {
	// Whether a second factor is required; otherwise it is optional.
	Required bool `json:"required,omitempty"`
	// Only users with one of these roles must have one. Default: all users
	Roles []string `json:"roles,omitempty"`
}

// Rate is a number of events in a window of time.
type Rate struct {
	Events int            `json:"events"`
	Window caddy.Duration `json:"window"`
}

// RateLimits bounds failed sign-ins.
type RateLimits struct {
	// Failed tries per person. Default: 5 in 5 minutes
	Login *Rate `json:"login,omitempty"`
	// Failed tries per address; IPv6 addresses count per /64. Default: 50 in 5 minutes
	Address *Rate `json:"address,omitempty"`
}

// SMTP says which mail server sends the notices about users' accounts.
type SMTP struct {
	// The server: `smtp://` (STARTTLS) or `smtps://`, with user and password. Accepts `{env.*}` and `{file.*}`.
	URL string `json:"url,omitempty"`
	// Whom the notices are from: `Example <no-reply@example.com>`.
	From string `json:"from,omitempty"`
}

// Audit says where the audit log is copied to, beside the database.
type Audit struct {
	// A file that gets every event as a JSON line.
	File string `json:"file,omitempty"`
	// What happens when the log cannot be written: `deny` (default) fails the calls that change security, `continue` goes
	// on.
	OnFailure string `json:"on_failure,omitempty"`
}

// Brand is how the pages look.
type Brand struct {
	// The name shown on every page. Default: `Truxe`
	Name string `json:"name,omitempty"`
	// An SVG or PNG file.
	Logo string `json:"logo,omitempty"`
	// The colour of buttons and links, `#rrggbb`; it must be readable.
	Accent string `json:"accent,omitempty"`
	// Where users get help: a mail address or a URL.
	Support string `json:"support,omitempty"`
}
