// Live changes: patches, reverts and rollbacks on a data directory, what they leave in force and in the database.
#include "check.h"
#include "temp_dir.h"

#include "admin/live.h"
#include "conf/tree.h"
#include "store/config_env.h"

static struct err err;
static struct datadir dir;
static struct sql *db;
static struct arena arena;
static struct buf file; // the main file's text

static void begin(const char *name, const char *text) {
    REQUIRE(datadir_open(temp_path(name), &dir, &err));
    REQUIRE(datadir_open_db(&dir, 20000, &db, &err));
    arena_init(&arena, NULL, 0, (size_t)64 << 20);
    file = (struct buf)BUF_INIT((size_t)8 << 20);
    buf_put(&file, str_c(text));
}

static void end(void) {
    sql_close(db);
    datadir_close(&dir);
    arena_free(&arena);
    buf_free(&file);
}

static struct conf *load_with(struct config_env *stores) {
    struct conf_env env = config_env_system(stores);
    static const char *const none[] = {NULL};
    struct conf_problems problems;
    struct conf *c = NULL;
    env.variables = none;
    conf_problems_init(&problems);
    bool ok = conf_load_text(buf_str(&file), STR(""), &env, &problems, &c);
    if (!ok) {
        struct buf text = BUF_INIT(1 << 20);
        conf_problems_print(&problems, &text);
        err_set(&err, ERR_CONFIG_INVALID, "%.*s", STR_ARG(str_trim(buf_str(&text))));
        buf_free(&text);
    }
    conf_problems_free(&problems);
    return c;
}

// What the server does with a wish. The version now in force, or minus the error's code.
static int64_t wish(struct admin_wish *w, bool *out_added) {
    struct config_env none = {.no_live = true};
    struct conf *base = load_with(&none), *conf;
    struct live_plan plan = {0};
    REQUIRE(base != NULL);
    bool ok = live_plan_make(db, &dir, w, base->base, 5000, &arena, &plan, &err);
    conf_unref(base);
    if (!ok) return -(int64_t)err.code;
    struct config_env stores = {.live = &plan.live};
    conf = load_with(&stores);
    if (!conf) return -(int64_t)err.code;
    struct config_version_row about = {.at = 5000, .actor = STR("ops"), .cause = STR("api"), .changes = STR("[]")};
    int64_t version = -1;
    ok = live_record(db, &dir, conf, &plan, &about, &version, out_added, &err);
    conf_unref(conf);
    return ok ? version : -(int64_t)err.code;
}

static int64_t patch(const char *key, const char *json) {
    struct conf_override o = {.key = str_c(key), .value = str_c(json)};
    struct admin_wish w = {.kind = WISH_PATCH, .actor = STR("ops"), .expected = -1, .list = &o, .n = 1};
    bool added;
    return wish(&w, &added);
}

static int64_t revert(const char *key) {
    struct conf_override o = {.key = str_c(key)};
    struct admin_wish w = {.kind = WISH_REVERT, .actor = STR("ops"), .expected = -1, .list = &o, .n = key != NULL};
    bool added;
    return wish(&w, &added);
}

static int64_t roll_back(int64_t version) {
    struct admin_wish w = {.kind = WISH_ROLLBACK, .actor = STR("ops"), .expected = -1, .version = version};
    bool added;
    return wish(&w, &added);
}

static void expect_live(const char *want) {
    struct config_live_list list;
    struct buf got = BUF_INIT(65536);
    REQUIRE(config_live_read(db, &dir, &arena, &list, &err));
    for (size_t i = 0; i < list.n; i++)
        buf_printf(&got, "%.*s=%.*s\n", STR_ARG(list.p[i].key), STR_ARG(list.p[i].value));
    CHECK_STR(buf_str(&got), str_c(want));
    buf_free(&got);
}

// What is in force by what the database has.
static void expect_tree(const char *want) {
    struct config_live_list list;
    struct buf got = BUF_INIT(65536);
    REQUIRE(config_live_read(db, &dir, &arena, &list, &err));
    struct config_env stores = {.live = &list};
    struct conf *c = load_with(&stores);
    REQUIRE(c != NULL);
    conf_tree_json(c->stated, &got);
    CHECK_STR(buf_str(&got), str_c(want));
    buf_free(&got);
    conf_unref(c);
}

static void patching(void) {
    begin("patching", "log: {level: warn}\n");
    CHECK_INT(patch("log.level", "\"debug\""), 1);
    CHECK_INT(patch("aliases[fast]", "\"demo/x\""), 2);
    CHECK_INT(patch("\"aliases\".\"0\"", "\"demo/y\""), 3);
    CHECK_INT(patch("aliases.0", "\"demo/z\""), 4);                        // the same key
    CHECK_INT(patch("providers.p.kind", "\"demo\""), -ERR_CONFIG_INVALID); // demo, which the aliases name, is gone
    CHECK_INT(patch("aliases", "{}"), 5);
    CHECK_INT(patch("providers[00]", "{\"name\":\"p\",\"kind\":\"demo\"}"), 6);
    expect_live("log.level=\"debug\"\naliases={}\nproviders[0]={\"name\":\"p\",\"kind\":\"demo\"}\n");
    CHECK_INT(patch("aliases", "{}"), 6); // nothing new
    CHECK_INT(patch("log.level", "null"), 7);
    expect_live("aliases={}\nproviders[0]={\"name\":\"p\",\"kind\":\"demo\"}\nlog.level=null\n");
    CHECK_INT(patch("providers.p.tls_verify", "false"), 8);
    CHECK_INT(patch("providers[0]", "{\"name\":\"p\",\"kind\":\"demo\"}"), 8);
    end();
}

static void refusals(void) {
    static const struct {
        const char *key, *json;
        enum err_code code;
        const char *message;
    } rows[] = {
        {"log.levle", "1", ERR_NOT_FOUND, "there is no option \"levle\" in log; did you mean \"level\"?"},
        {"", "1", ERR_INVALID_FIELD, "\"\" is no key: it is empty"},
        {"storage.master_key.source", "\"env\"", ERR_INVALID_FIELD,
         "storage.master_key.source cannot be changed live: it stands in the file"},
        {"storage.data", "\"/x\"", ERR_INVALID_FIELD, "storage.data cannot be changed live: it stands in the file"},
        {"storage", "{}", ERR_INVALID_FIELD, "storage cannot be changed live: it stands in the file"},
        {"\"storage\"[data]", "\"/x\"", ERR_INVALID_FIELD,
         "storage.data cannot be changed live: it stands in the file"},
        {"include[0]", "\"x\"", ERR_INVALID_FIELD, "include[0] cannot be changed live: it stands in the file"},
        {"profiles.dev.log", "{}", ERR_INVALID_FIELD, "profiles.dev.log cannot be changed live: it stands in the file"},
        {"version", "1", ERR_INVALID_FIELD, "version cannot be changed live: it stands in the file"},
        {"log.level", "\"loud\"", ERR_CONFIG_INVALID,
         "live change, ops:1:1: log.level: expected trace, debug, info, warn or error, found \"loud\"\n"
         "      1 | \"loud\"\n        | ^"},
        {"log", "{\"level\":", ERR_CONFIG_INVALID, NULL},
    };
    begin("refusals", "log: {level: warn}\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_INT(patch(rows[i].key, rows[i].json), -(int64_t)rows[i].code);
        if (rows[i].message) CHECK_STR(str_c(err.message), str_c(rows[i].message));
    }
    char longest[5000];
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "aliases.", 8);
    longest[sizeof longest - 1] = 0;
    CHECK_INT(patch(longest, "\"demo/x\""), -ERR_INVALID_FIELD);
    CHECK_STR(str_c(err.message), STR("a key has at most 4096 bytes"));
    CHECK_INT(revert("log.level"), -ERR_NOT_FOUND);
    CHECK_STR(str_c(err.message), STR("there is no live change of log.level"));
    CHECK_INT(roll_back(3), -ERR_NOT_FOUND);
    expect_live("");
    end();
}

static void reverting(void) {
    begin("reverting", "log: {level: warn}\n");
    CHECK_INT(patch("log.level", "\"debug\""), 1);
    CHECK_INT(patch("log.access", "false"), 2);
    CHECK_INT(patch("limits.max_headers", "50"), 3);
    CHECK_INT(revert("log"), 4);
    expect_live("limits.max_headers=50\n");
    CHECK_INT(revert("limits.max_headers.x"), -ERR_NOT_FOUND);
    CHECK_INT(revert("limit"), -ERR_NOT_FOUND);
    CHECK_INT(revert(NULL), 5);
    expect_live("");
    CHECK_INT(revert(NULL), 5);
    expect_tree("{\"log\":{\"level\":\"warn\"}}");
    end();
}

static void expected_version(void) {
    begin("expected", "log: {level: warn}\n");
    CHECK_INT(patch("log.level", "\"debug\""), 1);
    struct conf_override o = {.key = STR("log.access"), .value = STR("false")};
    struct admin_wish w = {.kind = WISH_PATCH, .actor = STR("ops"), .expected = 0, .list = &o, .n = 1};
    bool added;
    CHECK_INT(wish(&w, &added), -ERR_EXISTS);
    CHECK_STR(str_c(err.message), STR("the configuration is at version 1 by now, not 0: read it again"));
    w.expected = 1;
    CHECK_INT(wish(&w, &added), 2);
    w = (struct admin_wish){.kind = WISH_RELOAD, .actor = STR("ops"), .expected = 0};
    CHECK_INT(wish(&w, &added), 2);
    CHECK(!added);
    end();
}

static void rolling_back(void) {
    begin("rollback", "providers: [{name: a, kind: demo}, {name: b, kind: demo}]\naliases: {x: a/1, \"9\": a/1}\n");
    CHECK_INT(patch("log.level", "\"debug\""), 1);
    CHECK_INT(patch("providers.c", "{\"kind\":\"demo\",\"headers\":{\"X\":\"1\"}}"), 2);
    CHECK_INT(patch("models", "[{\"name\":\"m.1\",\"targets\":[{\"provider\":\"c\"}]}]"), 3);
    CHECK_INT(patch("aliases.x", "null"), 4);
    CHECK_INT(roll_back(2), 5);
    expect_live("providers.c={\"name\":\"c\",\"kind\":\"demo\",\"headers\":{\"X\":\"1\"}}\nlog.level=\"debug\"\n");
    CHECK_INT(roll_back(1), 6);
    expect_live("log.level=\"debug\"\n");
    // The file loses an item and changes its order meanwhile: the version comes back all the same.
    buf_clear(&file);
    buf_lit(&file, "providers: [{name: b, kind: demo}, {name: d, kind: demo}]\nlog: {access: false}\n");
    CHECK_INT(roll_back(3), 7);
    expect_tree("{\"providers\":[{\"name\":\"a\",\"kind\":\"demo\"},{\"name\":\"b\",\"kind\":\"demo\"},"
                "{\"name\":\"c\",\"kind\":\"demo\",\"headers\":{\"X\":\"1\"}}],\"log\":{\"level\":\"debug\"},"
                "\"models\":[{\"name\":\"m.1\",\"targets\":[{\"provider\":\"c\"}]}],"
                "\"aliases\":{\"x\":\"a/1\",\"9\":\"a/1\"}}");
    CHECK_INT(roll_back(7), 7); // it is in force
    // The directory is the file's alone.
    buf_lit(&file, "storage: {data: elsewhere, queue_records: 4096}\n");
    CHECK_INT(roll_back(1), -ERR_INVALID_FIELD);
    CHECK_STR(str_c(err.message), STR("storage.data cannot be changed live: it stands in the file"));
    end();
}

// Rolling back takes away what the version had not.
static void rollback_removes(void) {
    begin("removes", "log: {level: warn}\n");
    CHECK_INT(patch("log.level", "\"debug\""), 1);
    buf_lit(&file,
            "aliases: {new: demo/x}\nlimits: {max_headers: 50}\nproviders: [{name: demo}, {name: p2, kind: demo}]\n");
    CHECK_INT(patch("log.access", "false"), 2);
    CHECK_INT(roll_back(1), 3);
    expect_tree("{\"log\":{\"level\":\"debug\"},\"limits\":{}}");
    expect_live("limits.max_headers=null\nproviders=null\naliases=null\nlog.level=\"debug\"\n");
    end();
}

static bool database_has(const char *needle) {
    bool found = false;
    static const char *const names[] = {"sealed/penstock.db", "sealed/penstock.db-wal"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct buf bytes = BUF_INIT((size_t)64 << 20);
        struct err ignored;
        if (file_read_all(temp_path(names[i]), (size_t)64 << 20, &bytes, &ignored))
            found = found || str_find(buf_str(&bytes), str_c(needle)) < bytes.n;
        buf_free(&bytes);
    }
    return found;
}

static void secrets_are_sealed(void) {
    begin("sealed", "providers: [{name: openai, api_key: canary-in-the-file}]\n");
    CHECK_INT(patch("providers.openai.api_key", "\"canary-live\""), 1);
    CHECK_INT(patch("providers.openai.headers", "{\"X-Marker\":\"canary-header\"}"), 2);
    expect_live(
        "providers.openai.api_key=\"canary-live\"\nproviders.openai.headers={\"X-Marker\":\"canary-header\"}\n");
    CHECK(database_has("config_version")); // the database is what was looked at
    CHECK(!database_has("canary"));
    end();
    CHECK(!database_has("canary"));
}

static void expect_value(const char *key, const char *text, const char *want_key, const char *want) {
    struct str out_key = STR_NONE, json = STR_NONE;
    if (!live_value(str_c(key), str_c(text), &arena, &out_key, &json, &err)) {
        CHECK_STR(str_c(err.message), str_c(want));
        return;
    }
    CHECK_STR(out_key, str_c(want_key));
    CHECK_STR(json, str_c(want));
}

static void as_people_write(void) {
    arena_init(&arena, NULL, 0, (size_t)16 << 20);
    expect_value("log.level", "debug", "log.level", "\"debug\"");
    expect_value("\"log\"[level]", "debug", "log.level", "\"debug\"");
    expect_value("limits.max_body", "64 MiB", "limits.max_body", "\"64 MiB\"");
    expect_value("limits.max_headers", "50", "limits.max_headers", "50");
    expect_value("log.access", "false", "log.access", "false");
    expect_value("log.access", "null", "log.access", "null");
    expect_value("tenants.\"0\".branding.name", "0123", "tenants.\"0\".branding.name", "\"0123\"");
    expect_value("tenants[0].branding.name", "a: [b", "tenants[0].branding.name", "\"a: [b\"");
    expect_value("tenants.t.branding.name", "", "tenants.t.branding.name", "\"\"");
    expect_value("aliases", "{a: b, c: \"1\"}", "aliases", "{\"a\":\"b\",\"c\":\"1\"}");
    expect_value("aliases.7", "b", "aliases.\"7\"", "\"b\"");
    expect_value("tenants.t.allow_models", "[a, 'b*']", "tenants.t.allow_models", "[\"a\",\"b*\"]");
    expect_value("tenants.t.allow_models[01]", "a", "tenants.t.allow_models[1]", "\"a\"");
    expect_value("models", "null", "models", "null");
    expect_value("aliases", "{a: b", "",
                 "aliases: not valid YAML: did not find expected ',' or '}', while parsing a flow mapping that starts "
                 "at line 1");
    expect_value("alias", "x", "", "there is no option \"alias\"; did you mean \"aliases\"?");
    arena_free(&arena);
}

TEST_MAIN(patching, refusals, reverting, expected_version, rolling_back, rollback_removes, secrets_are_sealed,
          as_people_write)
