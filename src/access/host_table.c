// Loads the host names of tenants into a sorted table, and finds them.
#include "access/host_table.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"

#include <stdlib.h>

struct entry {
    struct str name;
    int64_t tenant;
};
struct host_table {
    VEC(struct entry) entries; // by name
    struct arena arena;
};

static int order(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    int c = memcmp(x->name.p, y->name.p, MIN(x->name.n, y->name.n));
    return c ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

static bool rows_read(struct host_table *t, struct sql_stmt *st, struct err *err) {
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        struct entry e = {arena_str(&t->arena, sql_col_text(st, 0)), sql_col_i64(st, 1)};
        if (e.name.p && vec_push(&t->entries, e)) continue;
        sql_reset(st);
        return err_no_memory(err);
    }
}

bool host_table_load(struct sql *db, struct host_table **out_table, struct err *err) {
    struct host_table *t = mem_zalloc(1, sizeof *t);
    struct sql_stmt *st;
    if (!t) return err_no_memory(err);
    arena_init(&t->arena, NULL, 0, (size_t)64 << 20);
    if (!sql_prepare(sql_platform(db), STR("SELECT name, tenant_id FROM tenant_domain"), &st, err) ||
        !rows_read(t, st, err)) {
        host_table_free(t);
        return false;
    }
    if (t->entries.n) qsort(t->entries.p, t->entries.n, sizeof *t->entries.p, order);
    *out_table = t;
    return true;
}

void host_table_free(struct host_table *table) {
    if (!table) return;
    vec_free(&table->entries);
    arena_free(&table->arena);
    mem_free(table);
}

struct str host_name_of(struct str host, char out[HOST_NAME_MAX_LEN]) {
    size_t n = str_find_char(host, ':');
    if (n > 0 && n <= host.n && host.p[n - 1] == '.') n--; // the root's dot
    if (n > HOST_NAME_MAX_LEN) return STR("");
    for (size_t i = 0; i < n; i++) {
        char c = host.p[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return str_of(out, n);
}

int64_t host_table_find(const struct host_table *table, struct str host) {
    char text[HOST_NAME_MAX_LEN];
    if (!table || !table->entries.n) return 0;
    struct entry key = {.name = host_name_of(host, text)};
    if (!key.name.n) return 0;
    const struct entry *e = bsearch(&key, table->entries.p, table->entries.n, sizeof key, order);
    return e ? e->tenant : 0;
}

bool host_tenant(struct sql *db, struct str host, int64_t *out_tenant, struct err *err) {
    char text[HOST_NAME_MAX_LEN];
    struct str name = host_name_of(host, text);
    struct sql_stmt *st;
    bool row;
    *out_tenant = 0;
    if (!name.n) return true;
    if (!sql_prepare(sql_platform(db), STR("SELECT tenant_id FROM tenant_domain WHERE name = ?1"), &st, err))
        return false;
    sql_bind_text(st, 1, name);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return true;
    *out_tenant = sql_col_i64(st, 0);
    sql_reset(st);
    return true;
}
