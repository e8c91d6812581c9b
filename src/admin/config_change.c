// Endpoints that change the configuration: patch, taking live changes back, reload, rollback; and what it names: the
// catalogue of models.
#include "admin/call.h"

#include "admin/patch.h"
#include "base/json_read.h"
#include "conf/conf.h"

static bool dry_run(struct admin_call *call, struct err *err) {
    return admin_query_bool(call, "dry_run", &call->wish.dry_run, err);
}

// If-Match: "7"; * or nothing = whatever is the newest.
static bool expected_version(struct admin_call *call, struct err *err) {
    struct str value = str_trim(http_field_get(call->req->fields, call->req->field_count, STR("if-match")));
    call->wish.expected = -1;
    if (!value.n || str_eq(value, STR("*"))) return true;
    bool quoted = value.n > 2 && value.p[0] == '"' && value.p[value.n - 1] == '"';
    uint64_t v;
    if (!quoted || !str_to_u64(str_of(value.p + 1, value.n - 2), &v) || v > INT64_MAX)
        return err_set(err, ERR_INVALID_FIELD, "If-Match is a version in double quotes, as the ETag was");
    call->wish.expected = (int64_t)v;
    return true;
}

static void finish(struct admin_call *call, bool ok, const struct err *err) {
    if (ok)
        admin_wish(call);
    else
        admin_fail(call, err);
}

static bool read_patch(struct admin_call *call, struct err *err) {
    struct conf_problems problems;
    struct patch patch;
    conf_problems_init(&problems);
    bool ok = patch_parse(&conf_table, call->req->body, &call->arena, &problems, &patch, err);
    if (ok) {
        call->wish.list = patch.list;
        call->wish.n = patch.n;
    } else if (problems.errors) {
        struct buf json = BUF_INIT((size_t)1 << 20);
        conf_problems_json(&problems, &json);
        call->problems = json.failed ? STR_NONE : arena_str(&call->arena, str_trim(buf_str(&json)));
        buf_free(&json);
    }
    conf_problems_free(&problems);
    return ok;
}

void api_config_patch(struct admin_call *call) {
    struct err err;
    call->wish.kind = WISH_PATCH;
    bool ok = dry_run(call, &err) && expected_version(call, &err) && read_patch(call, &err);
    if (ok && !call->wish.n)
        ok = err_set(&err, ERR_MISSING_FIELD,
                     "the patch changes nothing: send an object such as {\"log\":{\"level\":\"debug\"}}");
    finish(call, ok, &err);
}

void api_config_live_delete(struct admin_call *call) {
    struct err err;
    struct str key = admin_query(call, "key");
    call->wish.kind = WISH_REVERT;
    bool ok = dry_run(call, &err) && expected_version(call, &err);
    if (ok && key.p) {
        struct conf_override *one = ARENA_NEW(&call->arena, struct conf_override);
        if (one) one->key = key;
        call->wish.list = one;
        call->wish.n = 1;
        if (!one)
            ok = err_no_memory(&err);
        else if (!key.n) // what was meant may be a part, so it is not all
            ok = err_set(&err, ERR_INVALID_FIELD, "key is empty; leave it out to take back all live changes");
    }
    finish(call, ok, &err);
}

void api_config_reload(struct admin_call *call) {
    struct err err;
    call->wish.kind = WISH_RELOAD;
    call->wish.expected = -1;
    finish(call, dry_run(call, &err), &err);
}

void api_models_refresh(struct admin_call *call) {
    struct err err;
    call->wish.kind = WISH_MODELS;
    call->wish.expected = -1;
    finish(call, dry_run(call, &err), &err);
}

void api_config_rollback(struct admin_call *call) {
    struct err err;
    struct json_field f[] = {{.name = STR_INIT("version"), .kinds = JSON_IS(JSON_NUMBER), .required = true}};
    call->wish.kind = WISH_ROLLBACK;
    bool ok = dry_run(call, &err) && expected_version(call, &err) && json_scan(call->req->body, f, ARRAY_LEN(f), &err);
    if (ok && (!json_raw_i64(f[0].raw, &call->wish.version) || call->wish.version < 1))
        ok = err_set(&err, ERR_INVALID_FIELD, "version is a whole number from 1 on");
    finish(call, ok, &err);
}
