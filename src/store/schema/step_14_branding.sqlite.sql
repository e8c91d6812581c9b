-- How a tenant shows itself, and the host names that are its own.
CREATE TABLE tenant_domain (
 id INTEGER PRIMARY KEY AUTOINCREMENT,
 tenant_id INTEGER NOT NULL REFERENCES tenant (id),
 version INTEGER NOT NULL DEFAULT 1,
 created_at INTEGER NOT NULL,
 updated_at INTEGER NOT NULL,
 name TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX tenant_domain_by_tenant ON tenant_domain (tenant_id, id);

-- Colours as #rrggbb, empty = none. logo_type: image/svg+xml (made anew from what was allowed of it) or image/png.
CREATE TABLE tenant_branding (
 tenant_id INTEGER NOT NULL PRIMARY KEY REFERENCES tenant (id),
 version INTEGER NOT NULL,
 updated_at INTEGER NOT NULL,
 display_name TEXT NOT NULL DEFAULT '',
 background TEXT NOT NULL DEFAULT '',
 text TEXT NOT NULL DEFAULT '',
 accent TEXT NOT NULL DEFAULT '',
 accent_text TEXT NOT NULL DEFAULT '',
 logo_type TEXT NOT NULL DEFAULT '',
 logo BLOB
) STRICT;

-- How long what the tenant's requests said is kept at most; 0 = as the configuration says.
ALTER TABLE tenant ADD COLUMN retention_s INTEGER NOT NULL DEFAULT 0;

-- Servers that keep a copy of the host names see that they changed.
CREATE TRIGGER tenant_domain_inserted AFTER INSERT ON tenant_domain BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER tenant_domain_deleted AFTER DELETE ON tenant_domain BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
CREATE TRIGGER tenant_domain_updated AFTER UPDATE ON tenant_domain BEGIN UPDATE change_count SET value = value + 1 WHERE name = 'access'; END;
