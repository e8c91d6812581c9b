-- Which keys and whose rights were changed, so that a copy of all of them is renewed by what is new in it.

-- changed: what change_count said of api_key when the row was written. api_key_deleted counts the rows that are gone.
ALTER TABLE api_key ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX api_key_by_change ON api_key (changed) WHERE changed > 0;
INSERT INTO change_count VALUES ('api_key_deleted', 0);
DROP TRIGGER api_key_inserted;
DROP TRIGGER api_key_deleted;
DROP TRIGGER api_key_updated;
CREATE TRIGGER api_key_inserted AFTER INSERT ON api_key BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'api_key';
 UPDATE api_key SET changed = (SELECT value FROM change_count WHERE name = 'api_key') WHERE id = NEW.id; END;
CREATE TRIGGER api_key_deleted AFTER DELETE ON api_key BEGIN
 UPDATE change_count SET value = value + 1 WHERE name IN ('api_key', 'api_key_deleted'); END;
CREATE TRIGGER api_key_updated AFTER UPDATE OF id, tenant_id, name, hash, prefix, is_admin, allowed_models, expires_at, revoked_at,
 team_id, project_id, owner_kind, owner_id, scopes, addresses, origins, tags, replaced_by ON api_key BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'api_key';
 UPDATE api_key SET changed = (SELECT value FROM change_count WHERE name = 'api_key') WHERE id = NEW.id; END;

-- One row for each step of change_count's 'access' of which it is known whose rights alone it can change, besides those of
-- whom they have lent theirs to: the latest thousand. A step without a row: anybody's.
CREATE TABLE access_change (
 number INTEGER PRIMARY KEY,
 principal_kind TEXT NOT NULL,
 principal_id INTEGER NOT NULL
) STRICT;
DROP TRIGGER tenant_inserted;
DROP TRIGGER team_inserted;
DROP TRIGGER project_inserted;
DROP TRIGGER app_user_inserted;
DROP TRIGGER app_user_deleted;
DROP TRIGGER app_user_updated;
DROP TRIGGER service_account_inserted;
DROP TRIGGER service_account_deleted;
DROP TRIGGER service_account_updated;
DROP TRIGGER team_member_inserted;
DROP TRIGGER team_member_deleted;
DROP TRIGGER team_member_updated;
DROP TRIGGER access_grant_inserted;
DROP TRIGGER access_grant_deleted;
DROP TRIGGER access_grant_updated;
CREATE TRIGGER app_user_inserted AFTER INSERT ON app_user BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, 'user', NEW.id FROM change_count WHERE name = 'access';
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER app_user_deleted AFTER DELETE ON app_user BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, 'user', OLD.id FROM change_count WHERE name = 'access';
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER app_user_updated AFTER UPDATE OF id, tenant_id, status, tags ON app_user BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, 'user', NEW.id FROM change_count WHERE name = 'access' AND NEW.id = OLD.id;
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER service_account_inserted AFTER INSERT ON service_account BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, 'service_account', NEW.id FROM change_count WHERE name = 'access';
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER service_account_deleted AFTER DELETE ON service_account BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, 'service_account', OLD.id FROM change_count WHERE name = 'access';
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER service_account_updated AFTER UPDATE ON service_account BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, 'service_account', NEW.id FROM change_count WHERE name = 'access' AND NEW.id = OLD.id;
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER team_member_inserted AFTER INSERT ON team_member BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, NEW.principal_kind, NEW.principal_id FROM change_count WHERE name = 'access';
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER team_member_deleted AFTER DELETE ON team_member BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, OLD.principal_kind, OLD.principal_id FROM change_count WHERE name = 'access';
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER team_member_updated AFTER UPDATE ON team_member BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, NEW.principal_kind, NEW.principal_id FROM change_count WHERE name = 'access' AND NEW.principal_kind = OLD.principal_kind AND NEW.principal_id = OLD.principal_id;
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER access_grant_inserted AFTER INSERT ON access_grant BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, NEW.principal_kind, NEW.principal_id FROM change_count WHERE name = 'access' AND NEW.principal_kind IN ('user', 'service_account');
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER access_grant_deleted AFTER DELETE ON access_grant BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, OLD.principal_kind, OLD.principal_id FROM change_count WHERE name = 'access' AND OLD.principal_kind IN ('user', 'service_account');
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER access_grant_updated AFTER UPDATE ON access_grant BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, NEW.principal_kind, NEW.principal_id FROM change_count WHERE name = 'access' AND NEW.principal_kind IN ('user', 'service_account')
 AND NEW.principal_kind = OLD.principal_kind AND NEW.principal_id = OLD.principal_id;
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
-- New ones, which nothing refers to yet.
CREATE TRIGGER tenant_inserted AFTER INSERT ON tenant BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, 'tenant', NEW.id FROM change_count WHERE name = 'access';
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER team_inserted AFTER INSERT ON team BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, 'team', NEW.id FROM change_count WHERE name = 'access';
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;
CREATE TRIGGER project_inserted AFTER INSERT ON project BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access';
 INSERT INTO access_change SELECT value, 'project', NEW.id FROM change_count WHERE name = 'access';
 DELETE FROM access_change WHERE number <= (SELECT value FROM change_count WHERE name = 'access') - 1000; END;

-- Budgets show the names of what they are for.
CREATE TRIGGER team_renamed AFTER UPDATE OF name ON team BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'budget'; END;
CREATE TRIGGER project_renamed AFTER UPDATE OF name ON project BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'budget'; END;
CREATE TRIGGER app_user_renamed AFTER UPDATE OF email ON app_user BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'budget'; END;
CREATE TRIGGER service_account_renamed AFTER UPDATE OF name ON service_account BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'budget'; END;
