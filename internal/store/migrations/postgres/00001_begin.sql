-- +goose Up
CREATE TABLE users (
	id               TEXT PRIMARY KEY,
	username         TEXT NOT NULL,
	username_key     TEXT COLLATE "C" NOT NULL UNIQUE,
	email            TEXT NOT NULL,
	email_key        TEXT NOT NULL,
	name             TEXT NOT NULL,
	search           TEXT NOT NULL,
	roles            TEXT NOT NULL,
	disabled         BIGINT NOT NULL,
	managed          TEXT NOT NULL,
	created          BIGINT NOT NULL,
	last_seen        BIGINT NOT NULL,
	not_before       BIGINT NOT NULL,
	password_hash    TEXT NOT NULL,
	password_changed BIGINT NOT NULL,
	failures         BIGINT NOT NULL
);

-- User names and e-mail addresses share one space of keys: no name can be another person's address.
CREATE TABLE login_names (
	key     TEXT PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX login_names_user ON login_names (user_id);

CREATE TABLE sessions (
	id          TEXT COLLATE "C" PRIMARY KEY,
	secret_hash BYTEA NOT NULL UNIQUE,
	user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	parent      TEXT NOT NULL,
	kind        TEXT NOT NULL,
	host        TEXT NOT NULL,
	created     BIGINT NOT NULL,
	auth_time   BIGINT NOT NULL,
	last_seen   BIGINT NOT NULL,
	idle        BIGINT NOT NULL,
	expires     BIGINT NOT NULL,
	remember    BIGINT NOT NULL,
	ip          TEXT NOT NULL,
	user_agent  TEXT NOT NULL,
	amr         TEXT NOT NULL,
	acr         TEXT NOT NULL,
	ended_at    BIGINT NOT NULL,
	end_reason  TEXT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id, ended_at);
CREATE INDEX sessions_parent ON sessions (parent);
CREATE INDEX sessions_created ON sessions (created, id);
CREATE INDEX sessions_expires ON sessions (expires);
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at > 0;

CREATE TABLE families (
	id            TEXT PRIMARY KEY,
	session_id    TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	client_id     TEXT NOT NULL,
	audience      TEXT NOT NULL,
	scopes        TEXT NOT NULL,
	created       BIGINT NOT NULL,
	expires       BIGINT NOT NULL,
	revoked_at    BIGINT NOT NULL,
	revoke_reason TEXT NOT NULL
);
CREATE INDEX families_session ON families (session_id);
CREATE INDEX families_user ON families (user_id);
CREATE INDEX families_expires ON families (expires);

-- Used tokens stay until their family expires: only so can a second use be told from a wrong token.
CREATE TABLE refresh_tokens (
	hash      BYTEA PRIMARY KEY,
	family_id TEXT NOT NULL REFERENCES families (id) ON DELETE CASCADE,
	created   BIGINT NOT NULL,
	used_at   BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);

CREATE TABLE revocations (
	kind    BIGINT NOT NULL,
	name    TEXT NOT NULL,
	at      BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	reason  TEXT NOT NULL,
	created BIGINT NOT NULL,
	PRIMARY KEY (kind, name)
);
CREATE INDEX revocations_created ON revocations (created);
CREATE INDEX revocations_expires ON revocations (expires);

CREATE TABLE signing_keys (
	kid        TEXT PRIMARY KEY,
	sealed     BYTEA NOT NULL,
	public_der BYTEA NOT NULL,
	source     TEXT NOT NULL,
	created    BIGINT NOT NULL,
	activates  BIGINT NOT NULL,
	retires    BIGINT NOT NULL,
	expires    BIGINT NOT NULL
);

CREATE TABLE devices (
	id         TEXT PRIMARY KEY,
	hash       BYTEA NOT NULL UNIQUE,
	user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	created    BIGINT NOT NULL,
	last_used  BIGINT NOT NULL,
	expires    BIGINT NOT NULL,
	user_agent TEXT NOT NULL
);
CREATE INDEX devices_user ON devices (user_id);
CREATE INDEX devices_expires ON devices (expires);

CREATE TABLE one_times (
	kind    TEXT NOT NULL,
	hash    BYTEA NOT NULL,
	subject TEXT NOT NULL,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	PRIMARY KEY (kind, hash)
);
CREATE INDEX one_times_expires ON one_times (expires);

CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
);

CREATE TABLE locks (
	name TEXT PRIMARY KEY
);

CREATE TABLE audit (
	seq        BIGINT PRIMARY KEY,
	time       BIGINT NOT NULL,
	event      TEXT NOT NULL,
	outcome    TEXT NOT NULL,
	actor_id   TEXT NOT NULL,
	subject_id TEXT NOT NULL,
	ip         TEXT NOT NULL,
	reference  TEXT NOT NULL,
	line       BYTEA NOT NULL,
	hash       BYTEA NOT NULL
);
CREATE INDEX audit_time ON audit (time);
CREATE INDEX audit_event ON audit (event, seq);
CREATE INDEX audit_actor ON audit (actor_id, seq);
CREATE INDEX audit_subject ON audit (subject_id, seq);
CREATE INDEX audit_reference ON audit (reference);

-- One row. The transaction that locks it may append the next line of the chain.
CREATE TABLE audit_head (
	id   BIGINT PRIMARY KEY CHECK (id = 1),
	seq  BIGINT NOT NULL,
	hash BYTEA NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));
