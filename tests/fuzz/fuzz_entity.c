// Bodies, filters and cursors of the admin API: whatever they hold, what is taken can be stored and read again.
#include "base/json_read.h"
#include "store/entity.h"
#include "store/migrate.h"

static struct sql *open_db(void) {
    struct sql_options o = {.mode = SQL_CREATE};
    struct sql *db;
    struct err err;
    bool ok = sql_open(STR(":memory:"), &o, &db, &err) && migrate_to(db, MIGRATE_STEPS, &err);
    INVARIANT(ok);
    return db;
}

static bool ignore(void *arg, const struct entity_row *row, struct err *err) {
    (void)arg, (void)row, (void)err;
    return true;
}

static void read_body(struct sql_scope scope, const struct entity *e, struct str text, struct arena *arena) {
    struct entity_row *row = ARENA_NEW(arena, struct entity_row);
    struct buf out = BUF_INIT((size_t)4 << 20);
    struct json_writer w;
    struct err err;
    INVARIANT(row);
    if (entity_read_json(scope, e, text, true, arena, row, &err)) {
        json_writer_init(&w, &out);
        entity_put_json(&w, e, row, STR_NONE);
        json_writer_done(&w);
        INVARIANT(json_validate(buf_str(&out), 0, &err));
    }
    buf_free(&out);
}

static void list(struct sql_scope scope, const struct entity *e, struct str text, struct arena *arena) {
    struct entity_query q = {.sort = ENTITY_AT_ID, .limit = 3};
    struct str name, value;
    struct err err;
    if (!str_split(&text, '\n', &name) || !str_split(&text, '\n', &value)) return;
    if (entity_filter_parse(scope, e, name, value, arena, &q.filters[0], &err)) q.n_filters = 1;
    q.search = str_head(value, 200);
    q.cursor = text;
    (void)!entity_list(scope, e, &q, ignore, NULL, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct sql *db; // one for all inputs: nothing is written
    struct arena arena;
    if (size < 2) return 0;
    if (!db) db = open_db();
    arena_init(&arena, NULL, 0, (size_t)64 << 20);
    const struct entity *e = entity_kind_at(data[0] % entity_count_kinds());
    struct str text = str_of((const char *)data + 2, size - 2);
    struct sql_scope scope = sql_tenant(db, 1);
    if (data[1] & 1)
        list(scope, e, text, &arena);
    else
        read_body(scope, e, text, &arena);
    arena_free(&arena);
    return 0;
}
