-- +goose Up
-- short_password: the password was chosen beside a second factor and is too short to be the only factor (PW-01).
ALTER TABLE factor_settings ADD COLUMN short_password INTEGER NOT NULL DEFAULT 0;
