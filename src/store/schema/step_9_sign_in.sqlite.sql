-- Signing in: what renews a session, failures are counted by whom they came from, and keys that sign access tokens take turns.

-- csrf: what a change must bring along. rights: what the user could do when the session got its present hash, as a mark
-- to compare. old_hash serves until old_until, for requests that were under way when the session was given a new one.
ALTER TABLE session ADD COLUMN csrf TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN rights TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN old_hash BLOB;
ALTER TABLE session ADD COLUMN old_until INTEGER NOT NULL DEFAULT 0;
CREATE INDEX session_by_old_hash ON session (old_hash) WHERE old_hash IS NOT NULL;

-- subject: "email:" and a keyed hash, so that an address nobody has is treated as one that somebody has; "address:" and a
-- client's network address. No tenant: one e-mail address may be known to several.
CREATE TABLE sign_in_failure (
 subject TEXT NOT NULL PRIMARY KEY,
 failures INTEGER NOT NULL,
 failed_at INTEGER NOT NULL,
 locked_until INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_failure_by_age ON sign_in_failure (failed_at);

-- secret_key is sealed. A key signs from signs_from until signs_until; what it signed is good until retires_at at the latest.
CREATE TABLE token_key (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 kid TEXT NOT NULL UNIQUE,
 public_key BLOB NOT NULL CHECK (length(public_key) = 32),
 secret_key BLOB NOT NULL,
 created_at INTEGER NOT NULL,
 signs_from INTEGER NOT NULL,
 signs_until INTEGER NOT NULL,
 retires_at INTEGER NOT NULL
) STRICT;
