-- +goose Up
-- short_password: the password was chosen while a second factor stood beside it, and is too short to stand alone (PW-01).
ALTER TABLE factor_settings ADD COLUMN short_password INTEGER NOT NULL DEFAULT 0;
