// The host names that are tenants' own, for the question that every request begins with: whose address is this?
//
// Ownership: host_table_load … host_table_free. Thread rule: never changes; any thread may ask. Errors: those of sql.h.
#ifndef ACCESS_HOST_TABLE_H
#define ACCESS_HOST_TABLE_H

#include "store/sql.h"

struct host_table;
NODISCARD bool host_table_load(struct sql *db, struct host_table **out_table, struct err *err);
void host_table_free(struct host_table *table); // NULL is fine
// The tenant of a Host field or :authority, of any case and with a port; 0 = nobody's. No allocation.
int64_t host_table_find(const struct host_table *table, struct str host);

#define HOST_NAME_MAX_LEN 253
// Of a Host field the name alone, in lower case; empty when it is none that could be a tenant's.
struct str host_name_of(struct str host, char out[HOST_NAME_MAX_LEN]);
// Likewise, asked of the database.
NODISCARD bool host_tenant(struct sql *db, struct str host, int64_t *out_tenant, struct err *err);

#endif
