-- Pages of users in each of their orders, how many there are, and pages of keys, where a tenant has very many.
CREATE INDEX app_user_by_name ON app_user (tenant_id, name, id);
CREATE INDEX app_user_by_creation ON app_user (tenant_id, created_at, id);
CREATE INDEX app_user_by_sign_in ON app_user (tenant_id, last_sign_in_at, id);
CREATE INDEX app_user_by_status ON app_user (tenant_id, status, id);
CREATE INDEX app_user_by_tenant ON app_user (tenant_id, id);
CREATE INDEX api_key_by_tenant ON api_key (tenant_id, id);
