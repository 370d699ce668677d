-- +goose Up
-- Security notices that wait to be sent, or were sent a short time ago. facts are JSON without any secret. due is when the
-- next try may begin: a claim moves it into the future, so that one node tries. ended is 0 while it waits.
CREATE TABLE mails (
	id        TEXT PRIMARY KEY,
	user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	kind      TEXT NOT NULL,
	recipient TEXT NOT NULL,
	facts     TEXT NOT NULL,
	created   BIGINT NOT NULL,
	due       BIGINT NOT NULL,
	tries     BIGINT NOT NULL,
	ended     BIGINT NOT NULL,
	outcome   TEXT NOT NULL
);
CREATE INDEX mails_due ON mails (ended, due);
CREATE INDEX mails_user ON mails (user_id, created);
