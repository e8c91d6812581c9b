// Entities: rows, lists, cursors, filters and JSON, with hostile input and other tenants' ids.
#include "check.h"
#include "store/entity.h"
#include "store/migrate.h"
#include "test_database.h"

#include <stdlib.h>

static struct sql *g_db;
static struct arena g_arena;
static int64_t g_a, g_b; // tenants

static struct sql_scope in_a(void) { return sql_tenant(g_db, g_a); }

// A database for each test.
static struct str fresh(void) {
    static unsigned n;
    char name[16];
    snprintf(name, sizeof name, "entity%u", n++);
    return test_server() ? test_database(name) : STR(":memory:");
}

static void open_db(void) {
    struct sql_options o = {.mode = SQL_CREATE};
    struct entity_row row = {0};
    struct err err;
    REQUIRE(sql_open(fresh(), &o, &g_db, &err) && migrate_to(g_db, MIGRATE_STEPS, &err));
    arena_init(&g_arena, NULL, 0, (size_t)64 << 20);
    REQUIRE(
        entity_read_json(sql_platform(g_db), &entity_tenant, STR("{\"name\":\"acme\"}"), true, &g_arena, &row, &err));
    entity_at(&entity_tenant, &row, "status")->s = STR("active");
    REQUIRE(entity_insert(sql_platform(g_db), &entity_tenant, &row, 1000, &err));
    g_a = row.id;
    entity_at(&entity_tenant, &row, "name")->s = STR("globex");
    REQUIRE(entity_insert(sql_platform(g_db), &entity_tenant, &row, 1000, &err));
    g_b = row.id;
}
static void close_db(void) {
    arena_free(&g_arena);
    sql_close(g_db);
}

static bool make(struct sql_scope scope, const struct entity *e, const char *json, struct entity_row *out,
                 struct err *err) {
    *out = (struct entity_row){0};
    return entity_read_json(scope, e, str_c(json), true, &g_arena, out, err) && entity_insert(scope, e, out, 2000, err);
}

static void refused(const struct entity *e, const char *json, bool creating, enum err_code code, const char *param) {
    struct entity_row row = {0};
    struct err err = {0};
    bool ok = entity_read_json(in_a(), e, str_c(json), creating, &g_arena, &row, &err);
    if (ok) fprintf(stderr, "taken: %s\n", json);
    CHECK(!ok);
    if (ok) return;
    CHECK_INT(err.code, code);
    CHECK_STR(str_c(err.param), str_c(param));
}

static struct str json_of(const struct entity *e, const struct entity_row *row, const char *only) {
    static struct buf out;
    struct json_writer w;
    buf_free(&out);
    buf_init(&out, 1 << 20);
    json_writer_init(&w, &out);
    entity_put_json(&w, e, row, str_c(only));
    return buf_str(&out);
}

static void test_tables(void) {
    for (size_t k = 0; k < entity_count_kinds(); k++) {
        const struct entity *e = entity_kind_at(k);
        char id[ENTITY_ID_TEXT_MAX];
        int64_t back;
        CHECK(e->n <= ENTITY_FIELDS_MAX && e->title.n && e->help);
        CHECK(entity_find(e->name) == e && entity_find(e->plural) == e);
        CHECK(entity_id_parse(e, entity_id_text(e, 77, id), &back) && back == 77);
        CHECK(!entity_id_parse(e, STR("x_0000000000001"), &back));
        for (size_t i = 0; i < e->n; i++) {
            const struct entity_field *f = &e->fields[i];
            CHECK(f->flags & ENTITY_HIDDEN || f->help);
            CHECK(entity_field_index(e, f->name) == i);
            CHECK((f->type == ENTITY_ENUM || f->type == ENTITY_ANY_REF) == (f->names != NULL));
            CHECK((f->type == ENTITY_REF) == (f->ref != NULL));
            // Keyset paging needs a value in every row.
            CHECK(!(f->flags & ENTITY_SORT && f->flags & ENTITY_NULL));
        }
        // Its columns are there.
        struct entity_query q = {.sort = ENTITY_AT_ID, .limit = 1, .search = STR("x")};
        struct err err;
        uint64_t n;
        if (!entity_count(in_a(), e, &q, &n, &err)) fprintf(stderr, "%s\n", err.message);
        CHECK(entity_count(in_a(), e, &q, &n, &err) && entity_count(sql_platform(g_db), e, &q, &n, &err));
    }
    CHECK(entity_find(STR("nothing")) == NULL);
}

static void test_rows(void) {
    struct entity_row team, got, project;
    struct err err;
    REQUIRE(make(in_a(), &entity_team, "{\"name\":\"search\",\"title\":\"Search\",\"tags\":{\"env\":\"prod\"}}", &team,
                 &err));
    CHECK_INT(team.version, 1);
    CHECK_INT(team.tenant_id, g_a);
    CHECK(!make(in_a(), &entity_team, "{\"name\":\"search\"}", &got, &err));
    CHECK_INT(err.code, ERR_EXISTS);
    CHECK_STR(str_c(err.param), STR("name"));
    CHECK(make(sql_tenant(g_db, g_b), &entity_team, "{\"name\":\"search\"}", &got, &err));
    // Another tenant's row and nobody's are alike.
    struct err other, none;
    CHECK(!entity_get(in_a(), &entity_team, got.id, &g_arena, &project, &other));
    CHECK(!entity_get(in_a(), &entity_team, 4711, &g_arena, &project, &none));
    CHECK_INT(other.code, ERR_NOT_FOUND);
    CHECK_STR(str_c(other.message), str_c(none.message));
    char id[ENTITY_ID_TEXT_MAX], json[200];
    snprintf(json, sizeof json, "{\"name\":\"p\",\"team_id\":\"%.*s\"}",
             STR_ARG(entity_id_text(&entity_team, got.id, id)));
    refused(&entity_project, json, true, ERR_INVALID_FIELD, "team_id");
    REQUIRE(make(in_a(), &entity_project, "{\"name\":\"p\",\"team_id\":\"search\"}", &project, &err));
    CHECK_INT(entity_at(&entity_project, &project, "team_id")->i, team.id);
    CHECK(entity_resolve(in_a(), &entity_project, STR("p"), &g_arena, &got, &err) && got.id == project.id);
    CHECK(!entity_delete(in_a(), &entity_team, team.id, -1, &err));
    CHECK_INT(err.code, ERR_EXISTS);
    CHECK(str_find(str_c(err.message), STR("projects")) < strlen(err.message));

    struct entity_row change = team;
    REQUIRE(entity_read_json(in_a(), &entity_team, STR("{\"title\":\"Find\"}"), false, &g_arena, &change, &err));
    CHECK(entity_update(in_a(), &entity_team, &change, 1, 3000, &err));
    CHECK_INT(change.version, 2);
    CHECK(!entity_update(in_a(), &entity_team, &change, 1, 3000, &err));
    CHECK_INT(err.code, ERR_CONFLICT);
    CHECK(!entity_update(sql_tenant(g_db, g_b), &entity_team, &change, -1, 3000, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(!entity_delete(sql_tenant(g_db, g_b), &entity_team, change.id, -1, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    REQUIRE(entity_get(in_a(), &entity_team, team.id, &g_arena, &got, &err));
    CHECK_STR(json_of(&entity_team, &got, "name, title,tags,version"),
              STR("{\"name\":\"search\",\"title\":\"Find\",\"tags\":{\"env\":\"prod\"},\"version\":2}"));
    CHECK(entity_delete(in_a(), &entity_project, project.id, -1, &err));
    CHECK(!entity_delete(in_a(), &entity_team, team.id, 1, &err));
    CHECK_INT(err.code, ERR_CONFLICT);
    CHECK(entity_delete(in_a(), &entity_team, team.id, 2, &err));
    CHECK(!entity_get(in_a(), &entity_team, team.id, &g_arena, &got, &err));
}

static void test_tenant_in_its_own_scope(void) {
    struct entity_row row;
    struct err err;
    CHECK(entity_get(in_a(), &entity_tenant, g_a, &g_arena, &row, &err) && row.tenant_id == g_a);
    CHECK(!entity_get(in_a(), &entity_tenant, g_b, &g_arena, &row, &err));
    CHECK(entity_get(sql_platform(g_db), &entity_tenant, g_b, &g_arena, &row, &err));
    CHECK(entity_resolve(sql_platform(g_db), &entity_tenant, STR("globex"), &g_arena, &row, &err) && row.id == g_b);
    CHECK(!make(sql_platform(g_db), &entity_tenant, "{\"name\":\"acme\"}", &row, &err) && err.code == ERR_EXISTS);
}

static void test_hostile_json(void) {
    static const char *const broken[] = {
        "", "[]", "null", "{", "{\"name\":}", "{\"name\":\"a\"", "\"x\"", "{\"name\":\"a\"}x"};
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct entity_row row = {0};
        struct err err;
        CHECK(!entity_read_json(in_a(), &entity_team, str_c(broken[i]), true, &g_arena, &row, &err));
    }
    refused(&entity_team, "{}", true, ERR_MISSING_FIELD, "name");
    refused(&entity_team, "{\"name\":\"\"}", true, ERR_INVALID_FIELD, "name");
    refused(&entity_team, "{\"name\":null}", true, ERR_INVALID_FIELD, "name");
    refused(&entity_team, "{\"name\":7}", true, ERR_INVALID_FIELD, "name");
    refused(&entity_team, "{\"name\":\"A B\"}", true, ERR_INVALID_FIELD, "name");
    refused(&entity_team, "{\"name\":\"a\\u0000b\"}", true, ERR_INVALID_FIELD, "name");
    refused(&entity_team, "{\"name\":\"a\",\"name\":\"b\"}", true, ERR_INVALID_FIELD, "name");
    refused(&entity_team, "{\"name\":\"a\",\"n\\u0061me\":\"b\"}", true, ERR_INVALID_FIELD, "name");
    refused(&entity_team, "{\"name\":\"a\",\"titel\":\"b\"}", true, ERR_INVALID_FIELD, "titel");
    refused(&entity_team, "{\"name\":\"a\",\"id\":\"team_0000000000001\"}", true, ERR_INVALID_FIELD, "id");
    refused(&entity_team, "{\"name\":\"a\",\"tenant_id\":2}", true, ERR_INVALID_FIELD, "tenant_id");
    refused(&entity_team, "{\"name\":\"a\",\"title\":\"x\\ny\"}", true, ERR_INVALID_FIELD, "title");
    refused(&entity_team, "{\"name\":\"a\",\"tags\":[]}", true, ERR_INVALID_FIELD, "tags");
    refused(&entity_team, "{\"name\":\"a\",\"tags\":{\"a\":1}}", true, ERR_INVALID_FIELD, "tags");
    refused(&entity_team, "{\"name\":\"a\",\"tags\":{\"\":\"1\"}}", true, ERR_INVALID_FIELD, "tags");
    refused(&entity_team, "{\"name\":\"a\",\"tags\":{\"a\":\"1\",\"a\":\"2\"}}", true, ERR_INVALID_FIELD, "tags");
    refused(&entity_tenant, "{\"name\":\"x\"}", false, ERR_INVALID_FIELD, "name");
    refused(&entity_tenant, "{\"status\":\"active\"}", false, ERR_INVALID_FIELD, "status");
    refused(&entity_user, "{\"email\":\"nobody\"}", true, ERR_INVALID_FIELD, "email");
    refused(&entity_user, "{\"email\":\"a@b\",\"password_hash\":\"x\"}", true, ERR_INVALID_FIELD, "password_hash");
    refused(&entity_key, "{\"hash\":\"x\"}", true, ERR_INVALID_FIELD, "hash");
    refused(&entity_key, "{\"addresses\":[\"10.0.0.0/33\"]}", true, ERR_INVALID_FIELD, "addresses");
    refused(&entity_key, "{\"addresses\":\"10.0.0.1\"}", true, ERR_INVALID_FIELD, "addresses");
    refused(&entity_key, "{\"addresses\":[7]}", true, ERR_INVALID_FIELD, "addresses");
    refused(&entity_key, "{\"expires_at\":\"soon\"}", true, ERR_INVALID_FIELD, "expires_at");
    refused(&entity_key, "{\"expires_at\":17}", true, ERR_INVALID_FIELD, "expires_at");
    refused(&entity_key, "{\"rotate_every\":\"9999999999999999d\"}", true, ERR_INVALID_FIELD, "rotate_every");
    refused(&entity_key, "{\"rotate_every\":-1}", true, ERR_INVALID_FIELD, "rotate_every");
    refused(&entity_key, "{\"owner\":\"team_0000000000001\"}", true, ERR_INVALID_FIELD, "owner");
    refused(&entity_key, "{\"owner\":\"user\"}", true, ERR_INVALID_FIELD, "owner");
    refused(&entity_grant, "{\"principal\":\"user/x@y\"}", true, ERR_INVALID_FIELD, "principal");
    refused(&entity_grant, "{\"principal\":\"tenant\",\"effect\":\"alow\"}", true, ERR_INVALID_FIELD, "effect");
    refused(&entity_budget, "{\"name\":\"b\",\"metric\":\"cost\",\"amount\":1e3}", true, ERR_INVALID_FIELD, "amount");
    refused(&entity_budget, "{\"name\":\"b\",\"metric\":\"cost\",\"amount\":-1}", true, ERR_INVALID_FIELD, "amount");
    refused(&entity_budget, "{\"name\":\"b\",\"metric\":\"tokens\",\"amount\":1.5}", true, ERR_INVALID_FIELD, "amount");
    refused(&entity_budget, "{\"name\":\"b\",\"metric\":\"tokens\",\"amount\":99999999999999}", true, ERR_INVALID_FIELD,
            "amount");
    refused(&entity_budget, "{\"name\":\"b\",\"metric\":\"tokens\",\"amount\":1,\"notify_at\":[0]}", true,
            ERR_INVALID_FIELD, "notify_at");
    char deep[2000];
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    struct entity_row row = {0};
    struct err err;
    CHECK(!entity_read_json(in_a(), &entity_team, str_c(deep), true, &g_arena, &row, &err));
}

static void test_values(void) {
    struct entity_row row;
    struct err err;
    REQUIRE(make(in_a(), &entity_budget,
                 "{\"amount\":12.5,\"name\":\"b\",\"metric\":\"cost\",\"scope\":\"model\",\"scope_text\":\"gpt-5\"}",
                 &row, &err));
    CHECK_INT(entity_at(&entity_budget, &row, "amount")->i, 12500000000);
    CHECK_STR(
        json_of(&entity_budget, &row, "amount,scope,period,notify_at,enabled"),
        STR("{\"scope\":\"model\",\"period\":\"month\",\"amount\":12.5,\"notify_at\":[50,80,100],\"enabled\":true}"));
    REQUIRE(entity_read_json(in_a(), &entity_budget, STR("{\"amount\":\"7.25\"}"), false, &g_arena, &row, &err));
    CHECK_INT(entity_at(&entity_budget, &row, "amount")->i, 7250000000);
    REQUIRE(make(in_a(), &entity_budget, "{\"name\":\"t\",\"metric\":\"tokens\",\"amount\":1000000}", &row, &err));
    CHECK_INT(entity_at(&entity_budget, &row, "amount")->i, 1000000);
    CHECK_INT(entity_at(&entity_budget, &row, "scope")->i, g_a);
    row = (struct entity_row){0};
    REQUIRE(entity_read_json(in_a(), &entity_key,
                             STR("{\"rotate_every\":\"90d\",\"rotate_overlap\":5400,\"scopes\":[\"model:use\"],"
                                 "\"expires_at\":\"2027-01-01T00:00:00Z\"}"),
                             true, &g_arena, &row, &err));
    CHECK_STR(json_of(&entity_key, &row, "rotate_every,rotate_overlap,scopes,expires_at,allowed_models,owner,hash"),
              STR("{\"allowed_models\":null,\"scopes\":[\"model:use\"],\"owner\":null,\"expires_at\":"
                  "\"2027-01-01T00:00:00.000Z\",\"rotate_every\":\"90d\",\"rotate_overlap\":\"90m\"}"));
    CHECK(entity_check_only(&entity_key, STR("name,id"), NULL, &err));
    CHECK(!entity_check_only(&entity_key, STR("hash"), NULL, &err));
    CHECK(!entity_check_only(&entity_key, STR("nam"), NULL, &err));
    CHECK(str_find(str_c(err.message), STR("\"name\"")) < strlen(err.message));
}

// --- lists ---

struct page {
    char names[4096];
    size_t n;
    struct entity_row last;
};
static bool note(void *arg, const struct entity_row *row, struct err *err) {
    struct page *p = arg;
    (void)err;
    size_t at = strlen(p->names);
    struct str name = row->v[0].s;
    snprintf(p->names + at, sizeof p->names - at, "%s%.*s", at ? " " : "", STR_ARG(name));
    p->n++;
    p->last = *row;
    for (size_t i = 0; i < entity_team.n; i++) p->last.v[i].s = arena_str(&g_arena, row->v[i].s);
    return true;
}

static const char *list(struct entity_query q) {
    static struct page p;
    struct err err;
    p = (struct page){0};
    if (!q.limit) q.limit = 100;
    if (!entity_list(in_a(), &entity_team, &q, note, &p, &err)) return "(error)";
    return p.names;
}

static struct entity_filter by(const char *name, const char *value) {
    struct entity_filter f = {0};
    struct err err;
    REQUIRE(entity_filter_parse(in_a(), &entity_team, str_c(name), str_c(value), &g_arena, &f, &err));
    return f;
}

static void fill(void) {
    static const char *const names[] = {"delta", "alpha", "charlie", "bravo", "echo"};
    struct entity_row row;
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char json[200];
        snprintf(json, sizeof json, "{\"name\":\"%s\",\"title\":\"%s\"}", names[i], i < 3 ? "50% off_" : "Other");
        REQUIRE(make(in_a(), &entity_team, json, &row, &err));
    }
    REQUIRE(make(sql_tenant(g_db, g_b), &entity_team, "{\"name\":\"alien\"}", &row, &err));
}

static void test_lists(void) {
    struct err err;
    struct entity_filter f;
    uint64_t n;
    fill();
    size_t name = entity_column_index(&entity_team, STR("name")),
           title = entity_column_index(&entity_team, STR("title"));
    CHECK_STR(str_c(list((struct entity_query){.sort = ENTITY_AT_ID})), STR("delta alpha charlie bravo echo"));
    CHECK_STR(str_c(list((struct entity_query){.sort = name})), STR("alpha bravo charlie delta echo"));
    CHECK_STR(str_c(list((struct entity_query){.sort = name, .descending = true, .limit = 2})), STR("echo delta"));
    CHECK_STR(str_c(list((struct entity_query){.sort = title, .descending = true})),
              STR("echo bravo charlie alpha delta"));
    struct entity_query q = {.sort = ENTITY_AT_ID, .filters = {by("name", "bravo")}, .n_filters = 1};
    CHECK_STR(str_c(list(q)), STR("bravo"));
    q.filters[0] = by("name.ne", "bravo");
    CHECK_STR(str_c(list(q)), STR("delta alpha charlie echo"));
    q.filters[0] = by("name.ge", "charlie");
    q.filters[1] = by("name.lt", "echo");
    q.n_filters = 2;
    CHECK_STR(str_c(list(q)), STR("delta charlie"));
    CHECK(entity_count(in_a(), &entity_team, &q, &n, &err) && n == 2);
    q = (struct entity_query){.sort = ENTITY_AT_ID, .filters = {by("title.contains", "% OFF_")}, .n_filters = 1};
    CHECK_STR(str_c(list(q)), STR("delta alpha charlie"));
    q.filters[0] = by("title.contains", "0%_o");
    CHECK_STR(str_c(list(q)), STR(""));
    CHECK_STR(str_c(list((struct entity_query){.sort = ENTITY_AT_ID, .search = STR("AR")})), STR("charlie"));
    CHECK_STR(str_c(list((struct entity_query){.sort = ENTITY_AT_ID, .search = STR("' OR 1=1 --")})), STR(""));
    CHECK(!entity_filter_parse(in_a(), &entity_team, STR("nam"), STR("x"), &g_arena, &f, &err));
    CHECK(!entity_filter_parse(in_a(), &entity_team, STR("created_at.contains"), STR("x"), &g_arena, &f, &err));
    CHECK(!entity_filter_parse(in_a(), &entity_team, STR("created_at.ge"), STR("x"), &g_arena, &f, &err));
    CHECK(!entity_filter_parse(in_a(), &entity_key, STR("hash"), STR("x"), &g_arena, &f, &err));
    CHECK(!entity_filter_parse(in_a(), &entity_user, STR("password_hash"), STR("x"), &g_arena, &f, &err));
}

static void page_through(struct entity_query q, size_t expected) {
    struct err err;
    BUF_AUTO struct buf cursor = BUF_INIT(ENTITY_CURSOR_MAX * 2);
    size_t seen = 0;
    q.limit = 2;
    BUF_AUTO struct buf all = BUF_INIT(1 << 16);
    for (int pages = 0; pages < 20; pages++) {
        struct page p = {0};
        REQUIRE(entity_list(in_a(), &entity_team, &q, note, &p, &err));
        if (!p.n) break;
        seen += p.n;
        buf_printf(&all, "%s ", p.names);
        buf_clear(&cursor);
        REQUIRE(entity_cursor(&entity_team, &q, &p.last, &cursor));
        q.cursor = arena_str(&g_arena, buf_str(&cursor));
    }
    CHECK_INT(seen, expected);
    q.cursor = STR_NONE;
    q.limit = 100;
    struct page whole = {0};
    REQUIRE(entity_list(in_a(), &entity_team, &q, note, &whole, &err));
    CHECK_STR(str_trim(buf_str(&all)), str_c(whole.names));
}

static void test_cursors(void) {
    struct err err;
    struct page p = {0};
    fill();
    size_t title = entity_column_index(&entity_team, STR("title"));
    const size_t sorts[] = {ENTITY_AT_ID, ENTITY_AT_CREATED, title, entity_column_index(&entity_team, STR("name"))};
    for (size_t i = 0; i < ARRAY_LEN(sorts); i++) {
        page_through((struct entity_query){.sort = sorts[i]}, 5);
        page_through((struct entity_query){.sort = sorts[i], .descending = true}, 5);
        page_through((struct entity_query){.sort = sorts[i], .search = STR("other")}, 2);
    }
    struct entity_query q = {.sort = title, .limit = 2};
    BUF_AUTO struct buf cursor = BUF_INIT(ENTITY_CURSOR_MAX * 2);
    REQUIRE(entity_list(in_a(), &entity_team, &q, note, &p, &err));
    REQUIRE(entity_cursor(&entity_team, &q, &p.last, &cursor));
    q.cursor = buf_str(&cursor);
    CHECK(entity_list(in_a(), &entity_team, &q, note, &p, &err));
    // For another order, with any bit changed, cut, or made up, it is refused.
    q.descending = true;
    CHECK(!entity_list(in_a(), &entity_team, &q, note, &p, &err) && err.code == ERR_INVALID_FIELD);
    q.descending = false;
    for (size_t i = 0; i < cursor.n; i++) {
        char was = cursor.p[i];
        cursor.p[i] = was == 'A' ? 'B' : 'A';
        CHECK(!entity_list(in_a(), &entity_team, &q, note, &p, &err));
        cursor.p[i] = was;
        q.cursor = str_head(buf_str(&cursor), i);
        if (i) CHECK(!entity_list(in_a(), &entity_team, &q, note, &p, &err));
        q.cursor = buf_str(&cursor);
    }
    static const char *const made_up[] = {"x", "....", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "' OR 1=1", "%00"};
    for (size_t i = 0; i < ARRAY_LEN(made_up); i++) {
        q.cursor = str_c(made_up[i]);
        CHECK(!entity_list(in_a(), &entity_team, &q, note, &p, &err));
        CHECK_STR(str_c(err.param), STR("cursor"));
    }
}

static bool stop(void *arg, const struct entity_row *row, struct err *err) {
    size_t *n = arg;
    (void)row;
    if (++*n == 2) return false;
    return *n < 4 || err_set(err, ERR_INTERNAL, "enough");
}
static void test_visitor_ends(void) {
    struct entity_query q = {.sort = ENTITY_AT_ID, .limit = 100};
    struct err err;
    size_t n = 0;
    fill();
    CHECK(entity_list(in_a(), &entity_team, &q, stop, &n, &err));
    CHECK_INT(n, 2);
    n = 2;
    CHECK(!entity_list(in_a(), &entity_team, &q, stop, &n, &err) && err.code == ERR_INTERNAL);
}

static void test_schema(void) {
    for (size_t k = 0; k < entity_count_kinds(); k++)
        for (int which = ENTITY_SCHEMA_ROW; which <= ENTITY_SCHEMA_CHANGE; which++) {
            BUF_AUTO struct buf out = BUF_INIT(1 << 20);
            struct json_writer w;
            json_writer_init(&w, &out);
            entity_put_schema(&w, entity_kind_at(k), (enum entity_schema)which, STR("\"more\":{}"));
            json_writer_done(&w);
            CHECK(!out.failed && out.n > 50);
            CHECK(str_find(buf_str(&out), STR("password_hash")) == out.n &&
                  str_find(buf_str(&out), STR("\"hash\"")) == out.n);
        }
}

static void with_db(check_case *run) {
    open_db();
    run();
    close_db();
}
static void all(void) {
    check_case *const cases[] = {test_tables,       test_rows,         test_tenant_in_its_own_scope,
                                 test_hostile_json, test_values,       test_lists,
                                 test_cursors,      test_visitor_ends, test_schema};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) with_db(cases[i]);
}

TEST_MAIN(all)
