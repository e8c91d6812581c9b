-- Row-level security on every table that has a tenant's rows; run after each step of the schema, for the tables it made.
--
-- penstock.tenant says whose rows a session sees and may write: those of one tenant, all (0), or, without it, none. It
-- binds the tables' owner too. The value is looked up once a statement, not once a row.
DO $$
DECLARE
 t record;
BEGIN
 FOR t IN
  SELECT c.relname AS name, a.attname AS tenant FROM pg_catalog.pg_class c
   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
   JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
   WHERE c.relkind = 'r' AND (a.attname = 'tenant_id' OR (c.relname = 'tenant' AND a.attname = 'id'))
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant_rows')
 LOOP
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t.name);
  EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t.name);
  EXECUTE format('CREATE POLICY tenant_rows ON %I USING ('
   '(SELECT current_setting(''penstock.tenant'', true)) = ''0'' OR '
   '%I = (SELECT nullif(current_setting(''penstock.tenant'', true), '''')::bigint))', t.name, t.tenant);
 END LOOP;
END $$;
