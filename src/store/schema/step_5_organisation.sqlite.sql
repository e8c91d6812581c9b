-- Tenants get a life of their own: they are made, suspended and deleted, and have their own time zone.
ALTER TABLE tenant ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tenant ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE tenant ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
ALTER TABLE tenant ADD COLUMN status_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN status_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE tenant ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'UTC';
ALTER TABLE tenant ADD COLUMN region TEXT NOT NULL DEFAULT '';
ALTER TABLE tenant ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';

-- Tenants that are being deleted (finished_at 0), and those that were, with the proof of it. It is the platform's: tenant is
-- the number that it had, which no other will have. data_keys: JSON objects, commas between. Counters: when they were taken
-- out of Redis.
CREATE TABLE tenant_deletion (
 tenant INTEGER PRIMARY KEY,
 name TEXT NOT NULL,
 title TEXT NOT NULL,
 reason TEXT NOT NULL,
 actor_kind TEXT NOT NULL,
 actor_id TEXT NOT NULL,
 actor_name TEXT NOT NULL,
 address TEXT NOT NULL,
 request_id TEXT NOT NULL,
 begun_at INTEGER NOT NULL,
 finished_at INTEGER NOT NULL DEFAULT 0,
 data_keys TEXT NOT NULL DEFAULT '',
 proof TEXT NOT NULL DEFAULT '',
 counters_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX tenant_deletion_by_name ON tenant_deletion (name);

-- How many rows of each table were deleted so far.
CREATE TABLE tenant_deletion_rows (
 tenant INTEGER NOT NULL,
 name TEXT NOT NULL,
 deleted INTEGER NOT NULL,
 PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE team (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 version INTEGER NOT NULL DEFAULT 1,
 created_at INTEGER NOT NULL,
 updated_at INTEGER NOT NULL,
 name TEXT NOT NULL,
 title TEXT NOT NULL DEFAULT '',
 tags TEXT NOT NULL DEFAULT '{}',
 UNIQUE (tenant_id, name)
) STRICT;

-- team_id NULL: it belongs to the tenant itself.
CREATE TABLE project (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 version INTEGER NOT NULL DEFAULT 1,
 created_at INTEGER NOT NULL,
 updated_at INTEGER NOT NULL,
 team_id INTEGER REFERENCES team (id),
 name TEXT NOT NULL,
 title TEXT NOT NULL DEFAULT '',
 tags TEXT NOT NULL DEFAULT '{}',
 UNIQUE (tenant_id, name)
) STRICT;
CREATE INDEX project_by_team ON project (tenant_id, team_id);

-- A person, of one tenant; grants may give them rights in others. The e-mail address is in lower case. totp_secret is sealed;
-- totp_at: when it was confirmed; totp_step: the last code's, so that none is taken twice.
CREATE TABLE app_user (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 version INTEGER NOT NULL DEFAULT 1,
 created_at INTEGER NOT NULL,
 updated_at INTEGER NOT NULL,
 email TEXT NOT NULL,
 name TEXT NOT NULL DEFAULT '',
 status TEXT NOT NULL DEFAULT 'active',
 password_hash TEXT NOT NULL DEFAULT '',
 password_at INTEGER NOT NULL DEFAULT 0,
 totp_secret BLOB,
 totp_at INTEGER NOT NULL DEFAULT 0,
 totp_step INTEGER NOT NULL DEFAULT 0,
 failed_count INTEGER NOT NULL DEFAULT 0,
 failed_at INTEGER NOT NULL DEFAULT 0,
 locked_until INTEGER NOT NULL DEFAULT 0,
 last_sign_in_at INTEGER NOT NULL DEFAULT 0,
 last_sign_in_address TEXT NOT NULL DEFAULT '',
 tags TEXT NOT NULL DEFAULT '{}',
 UNIQUE (tenant_id, email)
) STRICT;
CREATE INDEX app_user_by_email ON app_user (email);

-- Codes for when the second factor is lost; each serves once.
CREATE TABLE recovery_code (
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 user_id INTEGER NOT NULL REFERENCES app_user (id) ON DELETE CASCADE,
 hash BLOB NOT NULL,
 used_at INTEGER NOT NULL DEFAULT 0,
 PRIMARY KEY (tenant_id, user_id, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE service_account (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 version INTEGER NOT NULL DEFAULT 1,
 created_at INTEGER NOT NULL,
 updated_at INTEGER NOT NULL,
 name TEXT NOT NULL,
 title TEXT NOT NULL DEFAULT '',
 status TEXT NOT NULL DEFAULT 'active',
 tags TEXT NOT NULL DEFAULT '{}',
 UNIQUE (tenant_id, name)
) STRICT;

-- principal_kind: user, service_account.
CREATE TABLE team_member (
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 team_id INTEGER NOT NULL REFERENCES team (id) ON DELETE CASCADE,
 principal_kind TEXT NOT NULL,
 principal_id INTEGER NOT NULL,
 created_at INTEGER NOT NULL,
 PRIMARY KEY (tenant_id, team_id, principal_kind, principal_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_member_by_principal ON team_member (principal_kind, principal_id, tenant_id);

-- A tenant's own roles; the built-in ones are in the program. parents: names of roles; permissions: "type:action", * for all.
CREATE TABLE role (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 version INTEGER NOT NULL DEFAULT 1,
 created_at INTEGER NOT NULL,
 updated_at INTEGER NOT NULL,
 name TEXT NOT NULL,
 title TEXT NOT NULL DEFAULT '',
 parents TEXT NOT NULL DEFAULT '[]',
 permissions TEXT NOT NULL DEFAULT '[]',
 UNIQUE (tenant_id, name)
) STRICT;

-- Who may do what. principal_kind: user, service_account, team, tenant (everybody of it). role or permissions, one of them.
-- scope_kind: platform, tenant, team, project (scope_id; of the tenant tenant_id). resource: "" = all, "model/gpt-5",
-- "model/gpt-*"; condition: "env=prod", a tag the resource has. parent_id: the grant it was delegated from.
CREATE TABLE access_grant (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 version INTEGER NOT NULL DEFAULT 1,
 created_at INTEGER NOT NULL,
 updated_at INTEGER NOT NULL,
 principal_kind TEXT NOT NULL,
 principal_id INTEGER NOT NULL,
 effect TEXT NOT NULL DEFAULT 'allow',
 role TEXT NOT NULL DEFAULT '',
 permissions TEXT NOT NULL DEFAULT '[]',
 scope_kind TEXT NOT NULL DEFAULT 'tenant',
 scope_id INTEGER NOT NULL DEFAULT 0,
 resource TEXT NOT NULL DEFAULT '',
 condition TEXT NOT NULL DEFAULT '',
 not_before INTEGER NOT NULL DEFAULT 0,
 expires_at INTEGER NOT NULL DEFAULT 0,
 revoked_at INTEGER NOT NULL DEFAULT 0,
 reason TEXT NOT NULL DEFAULT '',
 granted_by_kind TEXT NOT NULL DEFAULT '',
 granted_by_id INTEGER NOT NULL DEFAULT 0,
 parent_id INTEGER REFERENCES access_grant (id),
 elevation_id INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX access_grant_by_principal ON access_grant (principal_kind, principal_id);
CREATE INDEX access_grant_by_parent ON access_grant (parent_id);
CREATE INDEX access_grant_by_tenant ON access_grant (tenant_id, id);
CREATE INDEX access_grant_by_scope ON access_grant (scope_kind, scope_id);

-- A request for more rights for a time, which a second person approves. status: pending, approved, refused, ended.
CREATE TABLE elevation (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 version INTEGER NOT NULL DEFAULT 1,
 created_at INTEGER NOT NULL,
 updated_at INTEGER NOT NULL,
 user_id INTEGER NOT NULL REFERENCES app_user (id),
 role TEXT NOT NULL,
 scope_kind TEXT NOT NULL DEFAULT 'tenant',
 scope_id INTEGER NOT NULL DEFAULT 0,
 duration_s INTEGER NOT NULL,
 reason TEXT NOT NULL DEFAULT '',
 status TEXT NOT NULL DEFAULT 'pending',
 decided_by_kind TEXT NOT NULL DEFAULT '',
 decided_by_id INTEGER NOT NULL DEFAULT 0,
 decided_at INTEGER NOT NULL DEFAULT 0,
 expires_at INTEGER NOT NULL DEFAULT 0,
 grant_id INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX elevation_by_status ON elevation (tenant_id, status);

-- scope_kind: tenant, team, project, user, service_account, key (scope_id); model, tag (scope_text). metric: requests, tokens,
-- cost (nanodollars), concurrency. period: minute, hour, day, month, total. action: block, downgrade, notify.
CREATE TABLE budget (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 version INTEGER NOT NULL DEFAULT 1,
 created_at INTEGER NOT NULL,
 updated_at INTEGER NOT NULL,
 name TEXT NOT NULL,
 scope_kind TEXT NOT NULL,
 scope_id INTEGER NOT NULL DEFAULT 0,
 scope_text TEXT NOT NULL DEFAULT '',
 metric TEXT NOT NULL,
 period TEXT NOT NULL,
 amount INTEGER NOT NULL,
 action TEXT NOT NULL DEFAULT 'block',
 downgrade_to TEXT NOT NULL DEFAULT '',
 notify_at TEXT NOT NULL DEFAULT '[50,80,100]',
 enabled INTEGER NOT NULL DEFAULT 1,
 UNIQUE (tenant_id, name)
) STRICT;

-- What was used of a budget in one of its periods, as last saved, and the highest threshold that was told.
CREATE TABLE budget_use (
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 budget_id INTEGER NOT NULL REFERENCES budget (id) ON DELETE CASCADE,
 period_start INTEGER NOT NULL,
 used INTEGER NOT NULL DEFAULT 0,
 told INTEGER NOT NULL DEFAULT 0,
 saved_at INTEGER NOT NULL DEFAULT 0,
 PRIMARY KEY (tenant_id, budget_id, period_start)
) STRICT, WITHOUT ROWID;

ALTER TABLE api_key ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE api_key ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN team_id INTEGER REFERENCES team (id);
ALTER TABLE api_key ADD COLUMN project_id INTEGER REFERENCES project (id);
-- owner_kind: user, service_account, or empty: the key's own scopes alone say what it may do.
ALTER TABLE api_key ADD COLUMN owner_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN owner_id INTEGER NOT NULL DEFAULT 0;
-- scopes: permissions "type:action" as a JSON array; NULL = those of keys from before there were scopes: use of models.
ALTER TABLE api_key ADD COLUMN scopes TEXT;
ALTER TABLE api_key ADD COLUMN addresses TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_key ADD COLUMN origins TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_key ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
-- Rotation: the key that takes this one's place, whose place this one took, and when the next one is due.
ALTER TABLE api_key ADD COLUMN replaced_by INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN replaces INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN rotate_every_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN rotate_overlap_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN rotate_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN last_used_address TEXT NOT NULL DEFAULT '';
CREATE INDEX api_key_by_owner ON api_key (owner_kind, owner_id);
CREATE INDEX api_key_by_project ON api_key (tenant_id, project_id);

-- Sign-ins. hash: of the cookie's text.
CREATE TABLE session (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 user_id INTEGER NOT NULL REFERENCES app_user (id) ON DELETE CASCADE,
 hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
 created_at INTEGER NOT NULL,
 seen_at INTEGER NOT NULL,
 expires_at INTEGER NOT NULL,
 revoked_at INTEGER NOT NULL DEFAULT 0,
 address TEXT NOT NULL DEFAULT '',
 agent TEXT NOT NULL DEFAULT '',
 second_factor INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX session_by_user ON session (tenant_id, user_id);
CREATE INDEX session_by_expiry ON session (expires_at);

-- Answers to requests that carried an Idempotency-Key, for a day. The answer is sealed: it may hold a new key.
CREATE TABLE idempotency (
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 caller TEXT NOT NULL,
 token TEXT NOT NULL,
 request BLOB NOT NULL,
 status INTEGER NOT NULL,
 answer BLOB NOT NULL,
 at INTEGER NOT NULL,
 PRIMARY KEY (tenant_id, caller, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (at);

-- Readers that keep a copy of these tables see that they were edited, by whatever program.
INSERT INTO change_count VALUES ('access', 0), ('budget', 0);
CREATE TRIGGER tenant_inserted AFTER INSERT ON tenant BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER tenant_deleted AFTER DELETE ON tenant BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER tenant_updated AFTER UPDATE ON tenant BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER team_inserted AFTER INSERT ON team BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER team_deleted AFTER DELETE ON team BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER team_updated AFTER UPDATE ON team BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER project_inserted AFTER INSERT ON project BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER project_deleted AFTER DELETE ON project BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER project_updated AFTER UPDATE ON project BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER app_user_inserted AFTER INSERT ON app_user BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER app_user_deleted AFTER DELETE ON app_user BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER app_user_updated AFTER UPDATE OF tenant_id, status, tags ON app_user BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER service_account_inserted AFTER INSERT ON service_account BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER service_account_deleted AFTER DELETE ON service_account BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER service_account_updated AFTER UPDATE ON service_account BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER team_member_inserted AFTER INSERT ON team_member BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER team_member_deleted AFTER DELETE ON team_member BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER team_member_updated AFTER UPDATE ON team_member BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER role_inserted AFTER INSERT ON role BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER role_deleted AFTER DELETE ON role BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER role_updated AFTER UPDATE ON role BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER access_grant_inserted AFTER INSERT ON access_grant BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER access_grant_deleted AFTER DELETE ON access_grant BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER access_grant_updated AFTER UPDATE ON access_grant BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER budget_inserted AFTER INSERT ON budget BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'budget'; END;
CREATE TRIGGER budget_deleted AFTER DELETE ON budget BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'budget'; END;
CREATE TRIGGER budget_updated AFTER UPDATE ON budget BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'budget'; END;
DROP TRIGGER api_key_updated;
CREATE TRIGGER api_key_updated AFTER UPDATE OF id, tenant_id, name, hash, prefix, is_admin, allowed_models, expires_at, revoked_at,
 team_id, project_id, owner_kind, owner_id, scopes, addresses, origins, tags, replaced_by ON api_key BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'api_key'; END;
