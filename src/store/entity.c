// Rows of entities: made, read, changed and deleted by SQL that is put together from their tables of fields.
#include "store/entity_impl.h"

#include "conf/opt.h"

static const struct entity *const k_entities[] = {
    &entity_tenant, &entity_team,      &entity_project, &entity_user,   &entity_service_account, &entity_role,
    &entity_grant,  &entity_elevation, &entity_key,     &entity_budget, &entity_domain,
};

size_t entity_count_kinds(void) { return ARRAY_LEN(k_entities); }
const struct entity *entity_kind_at(size_t i) { return k_entities[i]; }

const struct entity *entity_find(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(k_entities); i++)
        if (str_eq(k_entities[i]->name, name) || str_eq(k_entities[i]->plural, name)) return k_entities[i];
    return NULL;
}

// --- fields ---

size_t entity_field_index(const struct entity *e, struct str name) {
    for (size_t i = 0; i < e->n; i++)
        if (str_eq(e->fields[i].name, name)) return i;
    return SIZE_MAX;
}

static const struct entity_field k_common[] = {
    {.name = STR_INIT("id"), .type = ENTITY_I64, .flags = ENTITY_READ_ONLY | ENTITY_SORT},
    {.name = STR_INIT("created_at"), .type = ENTITY_TIME, .flags = ENTITY_READ_ONLY | ENTITY_FILTER | ENTITY_SORT},
    {.name = STR_INIT("updated_at"), .type = ENTITY_TIME, .flags = ENTITY_READ_ONLY | ENTITY_FILTER | ENTITY_SORT},
};

size_t entity_column_index(const struct entity *e, struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(k_common); i++)
        if (str_eq(k_common[i].name, name)) return ENTITY_AT_ID + i;
    return entity_field_index(e, name);
}

const struct entity_field *entity_column(const struct entity *e, size_t index) {
    if (index >= ENTITY_AT_ID) return &k_common[index - ENTITY_AT_ID];
    return &e->fields[index];
}

struct entity_value *entity_at(const struct entity *e, struct entity_row *row, const char *field) {
    size_t i = entity_field_index(e, str_c(field));
    INVARIANT(i < e->n && e->n <= ENTITY_FIELDS_MAX);
    return &row->v[i];
}

struct str entity_field_near(const struct entity *e, struct str name) {
    struct str names[ENTITY_FIELDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++)
        if (!(e->fields[i].flags & ENTITY_HIDDEN)) names[n++] = e->fields[i].name;
    return opt_nearest(name, names, n);
}

// --- ids ---

struct str entity_id_text(const struct entity *e, int64_t id, char out[ENTITY_ID_TEXT_MAX]) {
    INVARIANT(e->prefix.n + BASE32_U64_LEN <= ENTITY_ID_TEXT_MAX);
    memcpy(out, e->prefix.p, e->prefix.n);
    base32_u64(out + e->prefix.n, (uint64_t)id);
    return str_of(out, e->prefix.n + BASE32_U64_LEN);
}

void entity_put_id(struct json_writer *w, struct str key, const struct entity *e, int64_t id) {
    char text[ENTITY_ID_TEXT_MAX];
    if (id)
        json_put_member_str(w, key, entity_id_text(e, id, text));
    else
        json_put_member_null(w, key);
}

bool entity_id_parse(const struct entity *e, struct str text, int64_t *out_id) {
    uint64_t id;
    if (!str_starts(text, e->prefix) || !base32_u64_parse(str_from(text, e->prefix.n), &id)) return false;
    if (id == 0 || id > INT64_MAX) return false;
    *out_id = (int64_t)id;
    return true;
}

// --- SQL from tables ---

// A tenant's row is in its own scope.
static bool is_tenant(const struct entity *e) { return e == &entity_tenant; }

void entity_put_scope(struct buf *out, struct sql_scope scope, const struct entity *e) {
    if (scope.tenant == SQL_PLATFORM)
        buf_lit(out, "1 = 1");
    else
        buf_put(out, is_tenant(e) ? STR("id = ?1") : STR("tenant_id = ?1"));
}

void entity_put_field(struct buf *out, const struct entity_field *f, const char *suffix) {
    if (f->type == ENTITY_ANY_REF)
        buf_printf(out, "%.*s_kind%s, %.*s_id%s", STR_ARG(f->name), suffix, STR_ARG(f->name), suffix);
    else
        buf_printf(out, "%.*s%s", STR_ARG(entity_sql_name(f)), suffix);
}

void entity_put_columns(struct buf *out, const struct entity *e) {
    buf_printf(out, "id, %s, version, created_at, updated_at", is_tenant(e) ? "id AS tenant_id" : "tenant_id");
    for (size_t i = 0; i < e->n; i++) {
        if (e->fields[i].flags & ENTITY_HIDDEN) continue;
        buf_lit(out, ", ");
        entity_put_field(out, &e->fields[i], "");
    }
}

bool entity_prepare(struct sql_scope scope, struct buf *text, struct sql_stmt **out_stmt, struct err *err) {
    if (text->failed) return err_no_memory(err);
    return sql_prepare(scope, buf_str(text), out_stmt, err);
}

bool entity_is_text(enum entity_type type) {
    return type == ENTITY_TEXT || type == ENTITY_ENUM || type == ENTITY_LIST || type == ENTITY_NUMBERS ||
           type == ENTITY_MAP;
}

int entity_bind(struct sql_stmt *st, int index, const struct entity_field *f, const struct entity_value *value) {
    bool null = f->flags & ENTITY_NULL;
    if (f->type == ENTITY_ANY_REF) {
        sql_bind_text(st, index, value->s);
        sql_bind_i64(st, index + 1, value->i);
        return index + 2;
    }
    if (f->type == ENTITY_BLOB)
        sql_bind_blob(st, index, value->s);
    else if (entity_is_text(f->type) && null && !value->s.n)
        sql_bind_null(st, index);
    else if (entity_is_text(f->type))
        sql_bind_text(st, index, value->s);
    else if (null && !value->i)
        sql_bind_null(st, index);
    else
        sql_bind_i64(st, index, value->i);
    return index + 1;
}

static bool read_text(struct sql_stmt *st, int column, struct str *out_text, struct err *err) {
    *out_text = sql_col_text(st, column);
    // A text that could not be fetched for want of memory must not read as an empty one.
    return out_text->p || sql_col_is_null(st, column) || err_no_memory(err);
}

bool entity_read_row(struct sql_stmt *st, const struct entity *e, struct entity_row *out_row, struct err *err) {
    struct entity_row *row = out_row;
    int column = 5;
    *row = (struct entity_row){.id = sql_col_i64(st, 0),
                               .tenant_id = sql_col_i64(st, 1),
                               .version = sql_col_i64(st, 2),
                               .created_at = sql_col_i64(st, 3),
                               .updated_at = sql_col_i64(st, 4)};
    for (size_t i = 0; i < e->n; i++) {
        const struct entity_field *f = &e->fields[i];
        bool text = entity_is_text(f->type) || f->type == ENTITY_ANY_REF;
        if (f->flags & ENTITY_HIDDEN) continue;
        if (text && !read_text(st, column, &row->v[i].s, err)) return false;
        column += text;
        if (!text || f->type == ENTITY_ANY_REF) row->v[i].i = sql_col_i64(st, column++);
    }
    return true;
}

bool entity_own(struct arena *arena, const struct entity *e, struct entity_row *row, struct err *err) {
    for (size_t i = 0; i < e->n; i++) {
        struct str copy = arena_str(arena, row->v[i].s);
        if (!copy.p && row->v[i].s.n) return err_no_memory(err);
        row->v[i].s = copy;
    }
    return true;
}

// --- one row ---

// What is taken, told by its name.
static bool taken(const struct entity *e, const struct entity_row *row, struct err *err) {
    size_t i = e->called_by.n ? entity_field_index(e, e->called_by) : SIZE_MAX;
    if (err->code != ERR_EXISTS || i == SIZE_MAX) return false;
    err_set(err, ERR_EXISTS, "%.*s with the %.*s \"%.*s\" exists already", STR_ARG(e->title), STR_ARG(e->called_by),
            STR_ARG(str_head(row->v[i].s, 100)));
    snprintf(err->param, sizeof err->param, "%.*s", STR_ARG(e->called_by));
    return false;
}

// now: the number of the first placeholder that is not the tenant.
static void put_insert(struct buf *text, const struct entity *e, int now) {
    int index = now + 1;
    buf_printf(text, "INSERT INTO %.*s (%sversion, created_at, updated_at", STR_ARG(e->table),
               is_tenant(e) ? "" : "tenant_id, ");
    for (size_t i = 0; i < e->n; i++) {
        buf_lit(text, ", ");
        entity_put_field(text, &e->fields[i], "");
    }
    buf_printf(text, ") VALUES (%s1, ?%d, ?%d", is_tenant(e) ? "" : "?1, ", now, now);
    for (size_t i = 0; i < e->n; i++)
        for (int k = 0; k < entity_field_width(&e->fields[i]); k++) buf_printf(text, ", ?%d", index++);
    buf_lit(text, ") RETURNING id");
}

bool entity_insert(struct sql_scope scope, const struct entity *e, struct entity_row *row, int64_t now_ns,
                   struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(ENTITY_SQL_MAX);
    struct sql_stmt *st;
    bool has;
    int index = is_tenant(e) ? 1 : 2; // a tenant that is made has no number yet
    INVARIANT(!is_tenant(e) || scope.tenant == SQL_PLATFORM);
    put_insert(&text, e, index);
    if (!entity_prepare(scope, &text, &st, err)) return false;
    if (!is_tenant(e) && scope.tenant == SQL_PLATFORM) sql_bind_i64(st, 1, row->tenant_id);
    sql_bind_i64(st, index++, now_ns);
    for (size_t i = 0; i < e->n; i++) index = entity_bind(st, index, &e->fields[i], &row->v[i]);
    if (!sql_step(st, &has, err)) return taken(e, row, err);
    if (!has) return err_set(err, ERR_STORE, "the database gave the new %.*s no id", STR_ARG(e->name));
    int64_t id = sql_col_i64(st, 0);
    if (!sql_run(st, err)) return false;
    row->id = id;
    if (is_tenant(e)) row->tenant_id = id;
    if (scope.tenant != SQL_PLATFORM) row->tenant_id = scope.tenant;
    row->version = 1;
    row->created_at = row->updated_at = now_ns;
    return true;
}

static bool not_found(const struct entity *e, struct err *err) {
    // The same words whether it is another tenant's or nobody's.
    return err_set(err, ERR_NOT_FOUND, "%.*s not found", STR_ARG(e->title));
}

// Runs a statement that selects the columns and takes its only row.
static bool take_one(struct sql_stmt *st, const struct entity *e, struct arena *arena, struct entity_row *out_row,
                     struct err *err) {
    struct entity_row row;
    bool has;
    if (!sql_step(st, &has, err)) return false;
    if (!has) return not_found(e, err);
    if (!entity_read_row(st, e, &row, err) || !entity_own(arena, e, &row, err)) goto fail;
    if (!sql_step(st, &has, err)) return false;
    if (has) {
        err_set(err, ERR_EXISTS, "several are called so: use the id");
        goto fail;
    }
    *out_row = row;
    return true;
fail:
    sql_reset(st);
    return false;
}

bool entity_get(struct sql_scope scope, const struct entity *e, int64_t id, struct arena *arena,
                struct entity_row *out_row, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(ENTITY_SQL_MAX);
    struct sql_stmt *st;
    int index = entity_first(scope);
    buf_lit(&text, "SELECT ");
    entity_put_columns(&text, e);
    buf_printf(&text, " FROM %.*s WHERE ", STR_ARG(e->table));
    entity_put_scope(&text, scope, e);
    buf_printf(&text, " AND id = ?%d", index);
    if (!entity_prepare(scope, &text, &st, err)) return false;
    sql_bind_i64(st, index, id);
    return take_one(st, e, arena, out_row, err);
}

// By the field that has such a text, where just one has it.
static bool find_by(struct sql_scope scope, const struct entity *e, struct str field, struct str what,
                    struct arena *arena, struct entity_row *out_row, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(ENTITY_SQL_MAX);
    struct sql_stmt *st;
    int index = entity_first(scope);
    if (!field.n || !what.n || what.n > ENTITY_TEXT_MAX) return not_found(e, err);
    buf_lit(&text, "SELECT ");
    entity_put_columns(&text, e);
    buf_printf(&text, " FROM %.*s WHERE ", STR_ARG(e->table));
    entity_put_scope(&text, scope, e);
    buf_printf(&text, " AND %.*s = ?%d LIMIT 2", STR_ARG(field), index);
    if (!entity_prepare(scope, &text, &st, err)) return false;
    const char *empty = e->fields[entity_field_index(e, field)].empty;
    sql_bind_text(st, index, empty && str_eq(what, str_c(empty)) ? STR("") : what);
    return take_one(st, e, arena, out_row, err);
}

bool entity_resolve(struct sql_scope scope, const struct entity *e, struct str what, struct arena *arena,
                    struct entity_row *out_row, struct err *err) {
    int64_t id;
    if (entity_id_parse(e, what, &id)) return entity_get(scope, e, id, arena, out_row, err);
    return find_by(scope, e, e->called_by, what, arena, out_row, err);
}

bool entity_resolve_ref(struct sql_scope scope, const struct entity *e, struct str what, struct arena *arena,
                        struct entity_row *out_row, struct err *err) {
    if (entity_resolve(scope, e, what, arena, out_row, err)) return true;
    return err->code == ERR_NOT_FOUND && e->also_called.n &&
           find_by(scope, e, e->also_called, what, arena, out_row, err);
}

// Nothing was changed: it is not there, or not in the version expected.
static bool unchanged(struct sql_scope scope, const struct entity *e, int64_t id, int64_t expected, struct err *err) {
    struct arena arena;
    struct entity_row row;
    arena_init(&arena, NULL, 0, (size_t)4 << 20);
    bool there = entity_get(scope, e, id, &arena, &row, err);
    arena_free(&arena);
    return there && err_set(err, ERR_CONFLICT, "%.*s is at version %lld, not %lld: read it again", STR_ARG(e->title),
                            (long long)row.version, (long long)expected);
}

static int put_set(struct buf *text, const struct entity *e, const struct entity_row *row, int index) {
    for (size_t i = 0; i < e->n; i++) {
        const struct entity_field *f = &e->fields[i];
        if (!row->v[i].given) continue;
        if (f->type == ENTITY_ANY_REF) {
            buf_printf(text, ", %.*s_kind = ?%d, %.*s_id = ?%d", STR_ARG(f->name), index, STR_ARG(f->name), index + 1);
            index += 2;
        } else {
            buf_printf(text, ", %.*s = ?%d", STR_ARG(entity_sql_name(f)), index++);
        }
    }
    return index;
}

bool entity_update(struct sql_scope scope, const struct entity *e, struct entity_row *row, int64_t expected,
                   int64_t now_ns, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(ENTITY_SQL_MAX);
    struct sql_stmt *st;
    bool has;
    int index = entity_first(scope);
    buf_printf(&text, "UPDATE %.*s SET version = version + 1, updated_at = ?%d", STR_ARG(e->table), index);
    int last = put_set(&text, e, row, index + 2);
    buf_lit(&text, " WHERE ");
    entity_put_scope(&text, scope, e);
    buf_printf(&text, " AND id = ?%d", index + 1);
    if (expected >= 0) buf_printf(&text, " AND version = ?%d", last);
    // Names the column that says whose the row is, also where that is its id.
    buf_printf(&text, " RETURNING version, %s", is_tenant(e) ? "id AS tenant_id" : "tenant_id");
    if (!entity_prepare(scope, &text, &st, err)) return false;
    sql_bind_i64(st, index++, now_ns);
    sql_bind_i64(st, index++, row->id);
    for (size_t i = 0; i < e->n; i++)
        if (row->v[i].given) index = entity_bind(st, index, &e->fields[i], &row->v[i]);
    if (expected >= 0) sql_bind_i64(st, index, expected);
    if (!sql_step(st, &has, err)) return taken(e, row, err);
    if (!has) return unchanged(scope, e, row->id, expected, err);
    int64_t version = sql_col_i64(st, 0);
    if (!sql_run(st, err)) return false;
    row->version = version;
    row->updated_at = now_ns;
    return true;
}

// --- deletion ---

static bool has_referrer(struct sql_scope scope, const struct entity *of, const struct entity_field *f, int64_t id,
                         bool *out_has, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(ENTITY_SQL_MAX);
    struct sql_stmt *st;
    int index = entity_first(scope);
    buf_printf(&text, "SELECT 1 FROM %.*s WHERE ", STR_ARG(of->table));
    entity_put_scope(&text, scope, of);
    buf_printf(&text, " AND %.*s = ?%d LIMIT 1", STR_ARG(entity_sql_name(f)), index);
    if (!entity_prepare(scope, &text, &st, err)) return false;
    sql_bind_i64(st, index, id);
    if (!sql_step(st, out_has, err)) return false;
    sql_reset(st);
    return true;
}

static bool check_referrers(struct sql_scope scope, const struct entity *e, int64_t id, struct err *err) {
    for (size_t k = 0; k < ARRAY_LEN(k_entities); k++) {
        const struct entity *of = k_entities[k];
        for (size_t i = 0; i < of->n; i++) {
            bool has;
            if (of->fields[i].type != ENTITY_REF || of->fields[i].ref != e) continue;
            if (!has_referrer(scope, of, &of->fields[i], id, &has, err)) return false;
            if (has)
                return err_set(err, ERR_EXISTS, "%.*s still has %.*s: delete or move them first", STR_ARG(e->title),
                               STR_ARG(of->plural));
        }
    }
    return true;
}

bool entity_delete(struct sql_scope scope, const struct entity *e, int64_t id, int64_t expected, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(ENTITY_SQL_MAX);
    struct sql_stmt *st;
    bool has;
    int index = entity_first(scope);
    if (!check_referrers(scope, e, id, err)) return false;
    buf_printf(&text, "DELETE FROM %.*s WHERE ", STR_ARG(e->table));
    entity_put_scope(&text, scope, e);
    buf_printf(&text, " AND id = ?%d", index);
    if (expected >= 0) buf_printf(&text, " AND version = ?%d", index + 1);
    buf_printf(&text, " RETURNING %s", is_tenant(e) ? "id AS tenant_id" : "tenant_id");
    if (!entity_prepare(scope, &text, &st, err)) return false;
    sql_bind_i64(st, index, id);
    if (expected >= 0) sql_bind_i64(st, index + 1, expected);
    if (!sql_step(st, &has, err)) return false;
    if (!has) return unchanged(scope, e, id, expected, err);
    return sql_run(st, err);
}
