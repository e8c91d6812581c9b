// The tables with tenants' rows, and the reading of their columns' descriptions.
#include "store/tenant_table.h"

static const struct tenant_table k_tables[] = {
#define TENANT_TABLE(table, how, list) {STR_INIT(#table), TENANT_ROWS_##how, STR_INIT(list)},
#include "store/tenant_table.def"
#undef TENANT_TABLE
};

size_t tenant_table_count(void) { return ARRAY_LEN(k_tables); }
const struct tenant_table *tenant_table_at(size_t i) { return &k_tables[i]; }

static bool in_name(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

bool tenant_column_next(struct str *columns, struct tenant_column *out_column) {
    struct str one;
    struct tenant_column c = {0};
    *columns = str_trim(*columns);
    if (!columns->n || !str_split(columns, ' ', &one)) return false;
    c.key = one.p[0] == '*';
    if (c.key) one = str_from(one, 1);
    size_t n = 0;
    while (n < one.n && in_name(one.p[n])) n++;
    c.name = str_head(one, n);
    if (n < one.n) c.mark = one.p[n];
    c.purpose = str_from(one, MIN(n + 1, one.n));
    *out_column = c;
    return true;
}

bool tenant_table_has_id(const struct tenant_table *t) {
    struct str columns = t->columns;
    struct tenant_column c;
    while (tenant_column_next(&columns, &c))
        if (c.key && str_eq(c.name, STR("id"))) return true;
    return false;
}
