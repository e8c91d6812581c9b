-- Pages of users in each of their orders, and how many there are, where a tenant has very many.
CREATE INDEX app_user_by_name ON app_user (tenant_id, name, id);
CREATE INDEX app_user_by_creation ON app_user (tenant_id, created_at, id);
CREATE INDEX app_user_by_sign_in ON app_user (tenant_id, last_sign_in_at, id);
CREATE INDEX app_user_by_status ON app_user (tenant_id, status, id);
