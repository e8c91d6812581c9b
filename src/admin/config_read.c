// Endpoints that tell of the configuration: what is in force, and the versions there were.
#include "admin/call.h"

#include "admin/tree_shown.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/text.h"
#include "conf/show.h"

#define SHOWN_MAX ((size_t)48 << 20)

// --- what is in force ---

static const struct {
    struct str name;
    enum conf_show_what what;
} k_views[] = {
    {STR_INIT("set"), SHOW_SET},
    {STR_INIT("effective"), SHOW_EFFECTIVE},
    {STR_INIT("defaults"), SHOW_DEFAULTS},
    {STR_INIT("changed"), SHOW_CHANGED},
};

static bool find_view(const struct admin_call *call, struct conf_show *out_how, struct str *out_name, struct err *err) {
    struct str view = admin_query(call, "view");
    if (!view.p) view = STR("effective");
    for (size_t i = 0; i < ARRAY_LEN(k_views); i++) {
        if (!str_eq(k_views[i].name, view)) continue;
        out_how->what = k_views[i].what;
        *out_name = view;
        return true;
    }
    return err_set(err, ERR_INVALID_FIELD, "view is set, effective, defaults or changed");
}

// One value's line: as it is, or its key and value alone.
static bool put_value(struct json_writer *w, struct str line, bool sources, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("key"), .required = true},
                             {.name = STR_INIT("value"), .required = true}};
    if (sources) {
        json_put_raw(w, line);
        return true;
    }
    if (!json_scan(line, f, ARRAY_LEN(f), err)) return false;
    json_put_object(w);
    for (size_t i = 0; i < ARRAY_LEN(f); i++) json_put_member_raw(w, f[i].name, f[i].raw);
    json_put_object_end(w);
    return true;
}

static bool put_values(struct json_writer *w, struct str lines, bool sources, struct err *err) {
    struct str line;
    json_put_member_array(w, STR("values"));
    while (str_split(&lines, '\n', &line))
        if (line.n && !put_value(w, line, sources, err)) return false;
    json_put_array_end(w);
    return true;
}

static bool run_get(struct admin_call *call, struct err *err) {
    const struct admin_host *host = call->al->admin->host;
    struct conf_show how = {.key = admin_query(call, "key"),
                            .tenant = admin_query(call, "tenant"),
                            .team = admin_query(call, "team"),
                            .project = admin_query(call, "project"),
                            .api_key = admin_query(call, "api_key")};
    struct buf lines = BUF_INIT(SHOWN_MAX);
    struct json_writer w;
    struct sql *db;
    struct str view;
    bool sources = false;
    if (!find_view(call, &how, &view, err) || !admin_query_bool(call, "sources", &sources, err) ||
        !admin_db(call, &db, err))
        return false;
    // Before the configuration is taken: a change in between makes the ETag too old, never too new.
    bool ok = config_version_newest(db, &call->version, NULL, err);
    sql_close(db);
    if (!ok) return false;
    struct conf *conf = host->conf(host->ctx);
    how.sources = sources;
    ok = conf_show_json(conf, &how, &lines, err) && (!lines.failed || err_no_memory(err));
    conf_unref(conf);
    json_writer_init(&w, &call->out);
    json_put_object(&w);
    json_put_member_i64(&w, STR("version"), call->version);
    json_put_member_str(&w, STR("view"), view);
    ok = ok && put_values(&w, buf_str(&lines), sources, err);
    if (ok) json_put_object_end(&w);
    buf_free(&lines);
    return ok;
}

void api_config_get(struct admin_call *call) { admin_work(call, run_get); }

// --- the history ---

static void put_version(struct json_writer *w, const struct config_version_row *row) {
    char at[TIME_TEXT_LEN];
    struct err err;
    time_text(at, row->at);
    json_put_member_i64(w, STR("version"), row->version);
    json_put_member_str(w, STR("at"), str_of(at, sizeof at));
    json_put_member_str(w, STR("actor"), row->actor);
    json_put_member_str(w, STR("cause"), row->cause);
    json_put_member_str(w, STR("file"), row->file);
    bool sound = json_validate(row->changes, 0, &err);
    json_put_member_raw(w, STR("changes"), sound ? row->changes : STR("null"));
}

static bool visit(void *arg, const struct config_version_row *row, struct err *err) {
    struct json_writer *w = arg;
    (void)err;
    json_put_object(w);
    put_version(w, row);
    json_put_object_end(w);
    return true;
}

static bool run_history(struct admin_call *call, struct err *err) {
    struct json_writer w;
    struct sql *db;
    int64_t limit = 50;
    if (!admin_query_i64(call, "limit", 1, CONFIG_HISTORY_KEEP, &limit, err) || !admin_db(call, &db, err)) return false;
    json_writer_init(&w, &call->out);
    json_put_object(&w);
    json_put_member_array(&w, STR("versions"));
    bool ok = config_version_each(db, (size_t)limit, visit, &w, err);
    sql_close(db);
    if (!ok) return false;
    json_put_array_end(&w);
    json_put_object_end(&w);
    return true;
}

void api_config_history(struct admin_call *call) { admin_work(call, run_history); }

static bool run_history_one(struct admin_call *call, struct err *err) {
    const struct admin_host *host = call->al->admin->host;
    struct config_version_row row;
    struct json_writer w;
    struct sql *db;
    int64_t version;
    if (!str_to_i64(call->params[0], &version) || version < 1)
        return err_set(err, ERR_INVALID_FIELD, "a version is a whole number from 1 on");
    if (!admin_db(call, &db, err)) return false;
    bool ok = config_version_find(db, host->dir, version, &call->arena, &row, err);
    sql_close(db);
    if (!ok) return false;
    json_writer_init(&w, &call->out);
    json_put_object(&w);
    put_version(&w, &row);
    json_put_key(&w, STR("config"));
    ok = tree_shown_put(&w, &conf_table, row.tree, &call->arena, err);
    if (ok) json_put_object_end(&w);
    return ok;
}

void api_config_history_one(struct admin_call *call) {
    // The path goes with the request; the worker may outlast it.
    call->params[0] = arena_str(&call->arena, call->params[0]);
    admin_work(call, run_history_one);
}
