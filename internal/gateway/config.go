package gateway

import (
	"log/slog"
	"time"

	"github.com/truxeio/caddy-truxe/internal/gate"
	"github.com/truxeio/caddy-truxe/internal/origin"
	"github.com/truxeio/caddy-truxe/internal/rules"
	"github.com/truxeio/caddy-truxe/internal/token"
)

// Config is everything one configuration says, secrets resolved and defaults not yet filled in.
// Zero values mean the default named at each field.
type Config struct {
	// Portal is the single sign-on host; empty: every host is its own portal. PortalOrigin is what browsers call it; zero:
	// what its site says.
	Portal       string
	PortalOrigin origin.Origin
	// Path is the prefix of all gateway URLs. Default "/.truxe".
	Path string
	// Sites are the hosts that the gateway protects, as Caddy's configuration has them.
	Sites []SiteInfo
	// DataDir holds the default database and the generated encryption key.
	DataDir string

	Storage Storage
	Redis   Redis
	// EncryptionKeys: the first encrypts, all decrypt. Empty: one is generated in DataDir.
	EncryptionKeys []string
	JWT            JWT
	Session        Session
	Password       Password
	MFA            MFA
	RateLimits     RateLimits
	UsersFile      string
	// Policies is the directory of policy files; "" for none. Rules are the sites' rules with them, as rules.Open returned
	// them; nil: none.
	Policies string
	Rules    *rules.Book
	SMTP     SMTP
	Audit    Audit
	// CORS lists the origins that may call pages and API with credentials, exactly.
	CORS  []string
	Brand Brand

	// Checker reports what a site would decide about a request; nil: no site is known.
	Checker rules.Checker

	// AppDown knows the server's errors of an app that does not answer; nil: the server answers them all.
	AppDown gate.AppDown

	// Admin is the first administrator from the environment, created while there are no users.
	Admin FirstAdmin

	// Offline: the command line opened the store while Caddy is stopped.
	Offline bool
	// Existing: the store and its key must be there already; otherwise they are made.
	Existing bool

	Logger  *slog.Logger
	Metrics Metrics
	Now     func() time.Time
}

// SiteInfo is one host that the gateway protects.
type SiteInfo struct {
	Host string // folded; "*.example.com"; "" for a site without a host name
	// Origins are what browsers call it, the main one first. Empty for a site without a host name.
	Origins      []origin.Origin
	ForwardHosts []string // that another proxy protects with this site's rules
	// ForwardOrigins are those of ForwardHosts that are not https on port 443.
	ForwardOrigins []origin.Origin
	App            AppLabel
	Roles          []string // of `allow`
	Handlers       []string
}

// AppLabel is how an app is listed.
type AppLabel struct {
	Name        string
	Icon        string
	Description string
	Start       string // the path that opens it; "" is "/"
}

// Storage says where durable truth lives. Driver "sqlite" (default) or "postgres".
type Storage struct {
	Driver string
	DSN    string // sqlite: a file; postgres: a connection string
}

// Redis says what many nodes share. An empty URL keeps shared moments in the process.
type Redis struct {
	URL    string
	Prefix string // default "truxe:"
	// Deny refuses at once when the feed is lost; otherwise the node's copy is believed for Stale (default 10 s).
	Deny  bool
	Stale time.Duration
}

// JWT holds the settings of access and refresh tokens.
type JWT struct {
	Issuer     string   // default "https://" and the portal host, or the host signed in at
	Audience   []string // default "truxe"
	Access     time.Duration
	Refresh    time.Duration
	Rotate     time.Duration
	Bits       int    // RSA key size, default 2048
	PrivateKey string // PEM or base64 of PEM to import
	Trust      []Trust
}

// Trust accepts access tokens of another issuer.
type Trust struct {
	Issuer         string
	JWKS           string // https URL or file
	Audience       []string
	SubjectClaim   string // default "sub"
	RolesClaim     string // default "roles"
	Roles          []token.RoleMap
	UsernamePrefix string   // default: the issuer and "|"
	Types          []string // default "at+jwt"
	Algorithms     []string // default "RS256"
}

// Session holds the lifetimes of sign-ins.
type Session struct {
	Idle     time.Duration // default 1 h
	Max      time.Duration // default 24 h
	Remember time.Duration // default 30 d
	Limit    int           // default 10 per user
}

// Password holds how passwords are judged and stored.
type Password struct {
	MinLength        int    // default 15
	MinLengthWithMFA int    // default 8
	Algorithm        string // "bcrypt" (default) or "argon2id"
	Cost             int    // bcrypt, default 12
	BreachedFile     string
}

// MFA says which users must have a second factor. The zero value: none, though every user may.
type MFA struct {
	Required bool
	Roles    []string // empty with Required: all users
}

// RateLimits of sign-in: failed tries per window.
type RateLimits struct {
	Login   Rate // per user, default 5 in 5 min
	Address Rate // per address (IPv6: per /64), default 50 in 5 min
}

// Rate is so many events in a window.
type Rate struct {
	Events int
	Window time.Duration
}

// SMTP says which server takes security notices. An empty URL: none, and no notices are queued.
type SMTP struct {
	URL  string // smtp:// or smtps://, see mail.Parse
	From string // "Example <no-reply@example.com>"
}

// Audit says where the log is copied and what happens when it cannot be written.
type Audit struct {
	File     string
	Continue bool // on_failure continue; default: security-changing calls fail
}

// Brand is how the pages look.
type Brand struct {
	Name    string // default "Truxe"
	Logo    string // file
	Accent  string // #rrggbb
	Support string // mail address or URL
}

// FirstAdmin is read from TRUXE_ADMIN_*.
type FirstAdmin struct {
	Username string
	Email    string
	Password string
}
