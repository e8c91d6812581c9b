-- Which keys and whose rights were changed, so that a copy of all of them is renewed by what is new in it.

-- changed: what change_count said of api_key when the row was written. api_key_deleted counts the rows that are gone. A
-- counter's row is locked until the change is committed: who sees a number sees all that was changed before.
ALTER TABLE api_key ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX api_key_by_change ON api_key (changed) WHERE changed > 0;
INSERT INTO change_count VALUES ('api_key_deleted', 0);
CREATE FUNCTION number_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'api_key' RETURNING value INTO NEW.changed;
 RETURN NEW;
END $$;
DROP TRIGGER api_key_inserted ON api_key;
DROP TRIGGER api_key_updated ON api_key;
CREATE TRIGGER api_key_inserted BEFORE INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION number_change();
CREATE TRIGGER api_key_updated BEFORE UPDATE OF id, tenant_id, name, hash, prefix, is_admin, allowed_models, expires_at, revoked_at,
 team_id, project_id, owner_kind, owner_id, scopes, addresses, origins, tags, replaced_by ON api_key FOR EACH ROW EXECUTE FUNCTION number_change();
CREATE TRIGGER api_key_gone AFTER DELETE ON api_key FOR EACH ROW EXECUTE FUNCTION count_change('api_key_deleted');

-- One row for each step of change_count's 'access' of which it is known whose rights alone it can change, besides those of
-- whom they have lent theirs to: the latest thousand. A step without a row: anybody's.
CREATE TABLE access_change (
 number BIGINT PRIMARY KEY,
 principal_kind TEXT COLLATE "C" NOT NULL,
 principal_id BIGINT NOT NULL
);
-- Its arguments: the columns that say whose rights, or the kind as a text and the column of the id.
CREATE FUNCTION note_access_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
 now_row jsonb := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
 old_row jsonb := to_jsonb(CASE TG_OP WHEN 'INSERT' THEN NEW ELSE OLD END);
 kind text := coalesce(now_row ->> TG_ARGV[0], TG_ARGV[0]);
 step bigint;
BEGIN
 UPDATE change_count SET value = value + 1 WHERE name = 'access' RETURNING value INTO step;
 IF (kind IN ('user', 'service_account') OR TG_ARGV[1] = 'id') AND kind = coalesce(old_row ->> TG_ARGV[0], TG_ARGV[0])
  AND now_row -> TG_ARGV[1] = old_row -> TG_ARGV[1] THEN
  INSERT INTO access_change VALUES (step, kind, (now_row ->> TG_ARGV[1])::bigint);
 END IF;
 DELETE FROM access_change WHERE number <= step - 1000;
 RETURN NULL;
END $$;
DROP TRIGGER app_user_inserted ON app_user;
CREATE TRIGGER app_user_inserted AFTER INSERT ON app_user FOR EACH ROW EXECUTE FUNCTION note_access_change('user', 'id');
DROP TRIGGER app_user_deleted ON app_user;
CREATE TRIGGER app_user_deleted AFTER DELETE ON app_user FOR EACH ROW EXECUTE FUNCTION note_access_change('user', 'id');
DROP TRIGGER app_user_updated ON app_user;
CREATE TRIGGER app_user_updated AFTER UPDATE OF id, tenant_id, status, tags ON app_user FOR EACH ROW EXECUTE FUNCTION note_access_change('user', 'id');
DROP TRIGGER service_account_inserted ON service_account;
CREATE TRIGGER service_account_inserted AFTER INSERT ON service_account FOR EACH ROW EXECUTE FUNCTION note_access_change('service_account', 'id');
DROP TRIGGER service_account_deleted ON service_account;
CREATE TRIGGER service_account_deleted AFTER DELETE ON service_account FOR EACH ROW EXECUTE FUNCTION note_access_change('service_account', 'id');
DROP TRIGGER service_account_updated ON service_account;
CREATE TRIGGER service_account_updated AFTER UPDATE ON service_account FOR EACH ROW EXECUTE FUNCTION note_access_change('service_account', 'id');
DROP TRIGGER team_member_inserted ON team_member;
CREATE TRIGGER team_member_inserted AFTER INSERT ON team_member FOR EACH ROW EXECUTE FUNCTION note_access_change('principal_kind', 'principal_id');
DROP TRIGGER team_member_deleted ON team_member;
CREATE TRIGGER team_member_deleted AFTER DELETE ON team_member FOR EACH ROW EXECUTE FUNCTION note_access_change('principal_kind', 'principal_id');
DROP TRIGGER team_member_updated ON team_member;
CREATE TRIGGER team_member_updated AFTER UPDATE ON team_member FOR EACH ROW EXECUTE FUNCTION note_access_change('principal_kind', 'principal_id');
DROP TRIGGER access_grant_inserted ON access_grant;
CREATE TRIGGER access_grant_inserted AFTER INSERT ON access_grant FOR EACH ROW EXECUTE FUNCTION note_access_change('principal_kind', 'principal_id');
DROP TRIGGER access_grant_deleted ON access_grant;
CREATE TRIGGER access_grant_deleted AFTER DELETE ON access_grant FOR EACH ROW EXECUTE FUNCTION note_access_change('principal_kind', 'principal_id');
DROP TRIGGER access_grant_updated ON access_grant;
CREATE TRIGGER access_grant_updated AFTER UPDATE ON access_grant FOR EACH ROW EXECUTE FUNCTION note_access_change('principal_kind', 'principal_id');
-- New ones, which nothing refers to yet.
DROP TRIGGER tenant_inserted ON tenant;
CREATE TRIGGER tenant_inserted AFTER INSERT ON tenant FOR EACH ROW EXECUTE FUNCTION note_access_change('tenant', 'id');
DROP TRIGGER team_inserted ON team;
CREATE TRIGGER team_inserted AFTER INSERT ON team FOR EACH ROW EXECUTE FUNCTION note_access_change('team', 'id');
DROP TRIGGER project_inserted ON project;
CREATE TRIGGER project_inserted AFTER INSERT ON project FOR EACH ROW EXECUTE FUNCTION note_access_change('project', 'id');

-- Budgets show the names of what they are for.
CREATE TRIGGER team_renamed AFTER UPDATE OF name ON team FOR EACH ROW EXECUTE FUNCTION count_change('budget');
CREATE TRIGGER project_renamed AFTER UPDATE OF name ON project FOR EACH ROW EXECUTE FUNCTION count_change('budget');
CREATE TRIGGER app_user_renamed AFTER UPDATE OF email ON app_user FOR EACH ROW EXECUTE FUNCTION count_change('budget');
CREATE TRIGGER service_account_renamed AFTER UPDATE OF name ON service_account FOR EACH ROW EXECUTE FUNCTION count_change('budget');
