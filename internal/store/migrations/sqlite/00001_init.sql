-- +goose Up
CREATE TABLE users (
  id TEXT PRIMARY KEY,
  username TEXT NOT NULL,
  email TEXT NOT NULL,
  name TEXT NOT NULL,
  roles TEXT NOT NULL,
  disabled BOOLEAN NOT NULL,
  managed TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  password_changed BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  not_before BIGINT NOT NULL,
  created BIGINT NOT NULL,
  last_seen BIGINT NOT NULL,
  sort_key TEXT NOT NULL UNIQUE
);
CREATE TABLE login_names (
  name_key TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL
);
CREATE INDEX login_names_user ON login_names (user_id);
CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  secret_hash BLOB NOT NULL UNIQUE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  parent TEXT NOT NULL,
  kind TEXT NOT NULL,
  host TEXT NOT NULL,
  created BIGINT NOT NULL,
  auth_time BIGINT NOT NULL,
  last_seen BIGINT NOT NULL,
  idle BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  remember BOOLEAN NOT NULL,
  ip TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  amr TEXT NOT NULL,
  acr TEXT NOT NULL,
  ended_at BIGINT NOT NULL,
  end_reason TEXT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id, ended_at);
CREATE INDEX sessions_parent ON sessions (parent);
CREATE INDEX sessions_expires ON sessions (expires);
CREATE TABLE refresh_families (
  id TEXT PRIMARY KEY,
  session_id TEXT NOT NULL,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  client_id TEXT NOT NULL,
  audience TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  reason TEXT NOT NULL
);
CREATE INDEX refresh_families_session ON refresh_families (session_id);
CREATE INDEX refresh_families_user ON refresh_families (user_id);
CREATE TABLE refresh_tokens (
  token_hash BLOB PRIMARY KEY,
  family_id TEXT NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
  created BIGINT NOT NULL,
  used_at BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE TABLE revocations (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  at BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  reason TEXT NOT NULL,
  recorded BIGINT NOT NULL,
  PRIMARY KEY (kind, name)
);
CREATE INDEX revocations_recorded ON revocations (recorded);
CREATE INDEX revocations_expires ON revocations (expires);
CREATE TABLE signing_keys (
  kid TEXT PRIMARY KEY,
  sealed BLOB NOT NULL,
  public_der BLOB NOT NULL,
  source TEXT NOT NULL,
  created BIGINT NOT NULL,
  activates BIGINT NOT NULL,
  retires BIGINT NOT NULL,
  expires BIGINT NOT NULL
);
CREATE TABLE devices (
  id TEXT PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created BIGINT NOT NULL,
  last_used BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  user_agent TEXT NOT NULL
);
CREATE INDEX devices_user ON devices (user_id);
CREATE TABLE one_times (
  kind TEXT NOT NULL,
  hash BLOB NOT NULL,
  subject TEXT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  PRIMARY KEY (kind, hash)
);
CREATE TABLE audit (
  seq BIGINT PRIMARY KEY,
  time BIGINT NOT NULL,
  event TEXT NOT NULL,
  outcome TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  ip TEXT NOT NULL,
  reference TEXT NOT NULL,
  line BLOB NOT NULL,
  hash BLOB NOT NULL
);
CREATE INDEX audit_reference ON audit (reference);
CREATE INDEX audit_time ON audit (time);
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
CREATE TABLE locks (
  name TEXT PRIMARY KEY,
  taken BIGINT NOT NULL
);
INSERT INTO locks (name, taken) VALUES ('audit', 0), ('users', 0), ('keys', 0);
