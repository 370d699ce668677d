-- +goose Up
-- Recent requests of users and what was decided, once for each person, request and site: `policy diff` replays it. key is
-- the SHA-256 of what tells them apart. A user may be another issuer's.
CREATE TABLE decisions (
	key      TEXT PRIMARY KEY,
	user_id  TEXT NOT NULL,
	site     TEXT NOT NULL,
	host     TEXT NOT NULL,
	method   TEXT NOT NULL,
	path     TEXT NOT NULL,
	address  TEXT NOT NULL,
	acr      TEXT NOT NULL,
	client   TEXT NOT NULL,
	allowed  BIGINT NOT NULL,
	last     BIGINT NOT NULL
);
CREATE INDEX decisions_last ON decisions (last);
CREATE INDEX decisions_user ON decisions (user_id, last);
