-- +goose Up
-- A person has at most one authenticator app in use and one that is being set up. step is the last accepted time step:
-- no code at or before it is ever taken again.
CREATE TABLE totp_secrets (
	id        TEXT PRIMARY KEY,
	user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	pending   BIGINT NOT NULL,
	sealed    BYTEA NOT NULL,
	created   BIGINT NOT NULL,
	expires   BIGINT NOT NULL,
	step      BIGINT NOT NULL,
	last_used BIGINT NOT NULL,
	UNIQUE (user_id, pending)
);
CREATE INDEX totp_secrets_expires ON totp_secrets (expires) WHERE expires > 0;

CREATE TABLE recovery_codes (
	hash    BYTEA PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	created BIGINT NOT NULL,
	used_at BIGINT NOT NULL
);
CREATE INDEX recovery_codes_user ON recovery_codes (user_id);

CREATE TABLE passkeys (
	id              TEXT PRIMARY KEY,
	credential_id   BYTEA NOT NULL UNIQUE,
	user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	host            TEXT NOT NULL,
	name            TEXT NOT NULL,
	public_key      BYTEA NOT NULL,
	aaguid          BYTEA NOT NULL,
	transports      TEXT NOT NULL,
	sign_count      BIGINT NOT NULL,
	backup_eligible BIGINT NOT NULL,
	backed_up       BIGINT NOT NULL,
	suspect         BIGINT NOT NULL,
	created         BIGINT NOT NULL,
	last_used       BIGINT NOT NULL
);
CREATE INDEX passkeys_user ON passkeys (user_id);

-- A sign-in whose first step is done. key is a hash: of the browser's flow cookie, or of the mfa_token of the API.
CREATE TABLE pending_signins (
	key        BYTEA PRIMARY KEY,
	user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	kind       TEXT NOT NULL,
	host       TEXT NOT NULL,
	amr        TEXT NOT NULL,
	remember   BIGINT NOT NULL,
	device     TEXT NOT NULL,
	tries      BIGINT NOT NULL,
	created    BIGINT NOT NULL,
	expires    BIGINT NOT NULL
);
CREATE INDEX pending_signins_user ON pending_signins (user_id, created);
CREATE INDEX pending_signins_expires ON pending_signins (expires);

-- failures are wrong codes in a row.
CREATE TABLE factor_settings (
	user_id   TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	preferred TEXT NOT NULL,
	failures  BIGINT NOT NULL
);

-- Until trusted a browser is not asked for a second factor.
ALTER TABLE devices ADD COLUMN trusted BIGINT NOT NULL DEFAULT 0;

-- When a second factor and a passkey were proven last; 0: never.
ALTER TABLE sessions ADD COLUMN mfa_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN passkey_time BIGINT NOT NULL DEFAULT 0;
