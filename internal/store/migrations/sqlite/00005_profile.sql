-- +goose Up
-- time_zone: in which a person wants to read times, a name of the IANA database; '' is that of the device in use.
CREATE TABLE profile_settings (
	user_id   TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	time_zone TEXT NOT NULL
) STRICT, WITHOUT ROWID;
